import type { ResultsFilter } from '@cutline/shared/run';
import { columns, type ExportedRow } from '../export/columns.ts';
import { type Condition, columnsOf, relax } from './condition.ts';
import { holds, mayHold, type Value } from './holds.ts';
import { parseCondition } from './parse-condition.ts';

/** Rows that are wanted, by a condition on their columns, as exports have them. */
export class RowFilter {
  readonly #condition: Condition;

  private constructor(condition: Condition) {
    this.#condition = condition;
  }

  /** @throws UserError that points at what is not understood */
  static parse(condition: string): RowFilter {
    return new RowFilter(parseCondition(condition, columns));
  }

  /** Columns of the list of keys that it asks about. */
  get carried(): string[] {
    const names = [...columnsOf(this.#condition)].filter((name) => name.startsWith(carried));
    return names.map((name) => name.slice(carried.length));
  }

  wants(exported: ExportedRow): boolean {
    const { source } = exported.row;
    return holds(this.#condition, (name) =>
      name.startsWith(carried)
        ? carriedIn(source, name.slice(carried.length))
        : valueIn(name, exported),
    );
  }

  /**
   * What can be told from the files of a run, where rows are as the model left them.
   * @param isReviewed whether anybody has decided anything
   */
  ofFiles(isReviewed: boolean): ResultsFilter {
    const isKnown = (column: string) =>
      !column.startsWith(carried) &&
      !ofReviews.has(column) &&
      !(isReviewed && changedByReviews.has(column));
    const condition = relax(this.#condition, isKnown);
    return {
      columns: [...columnsOf(condition)],
      mayKeep: (rows, rangeOf) => mayHold(condition, rows, rangeOf),
      keeps: (values) => holds(condition, (name) => values[name] as Value),
    };
  }
}

const columnOf = new Map(columns.map((column) => [column.name, column]));

function valueIn(name: string, exported: ExportedRow): Value {
  return columnOf.get(name)?.of(exported);
}

/** Of names that all objects have (`constructor`), only what is said. */
function carriedIn(source: ExportedRow['row']['source'], name: string): Value {
  return source && Object.hasOwn(source, name) ? source[name] : undefined;
}

/** Before the name of a column of the list of keys. */
const carried = 'source.';

/** No column of a file. */
const ofReviews: ReadonlySet<string> = new Set([
  'decision',
  'reviewedBy',
  'reviewedAt',
  'modelCaption',
]);
const changedByReviews: ReadonlySet<string> = new Set(['status', 'caption', 'class', 'message']);

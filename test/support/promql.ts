import { parser } from '@prometheus-io/lezer-promql';

/**
 * Reads PromQL expressions with Prometheus's own grammar, far enough to hold the names in them
 * against the metrics that exist.
 */

export interface Selector {
  /** As written: with `_bucket`, `_sum` or `_count` for the series of a histogram. */
  series: string;
  /** Labels that its matchers name. */
  labels: string[];
  /** The function that reads it as a range (`rate`, `increase`, …); undefined when read as it is. */
  rangeFunction: string | undefined;
  /** The innermost aggregation that it stands in (`sum`, `max`, …), if any. */
  aggregation: string | undefined;
}

export interface Query {
  selectors: Selector[];
  /** Labels in `by`, `without`, `on`, `ignoring` and `group_left`. */
  groupingLabels: string[];
  /** Labels that `label_replace` makes. */
  madeLabels: string[];
}

/** @throws Error with the expression when it is not PromQL. */
export function parsePromQl(expression: string): Query {
  const query: Query = { selectors: [], groupingLabels: [], madeLabels: [] };
  const functions: string[] = [];
  const aggregations: string[] = [];
  const text = (node: { from: number; to: number }) => expression.slice(node.from, node.to);

  parser.parse(expression).iterate({
    enter(ref) {
      const { node } = ref;
      switch (node.name) {
        case '⚠':
          throw new Error(`Not PromQL at character ${node.from}: ${expression}`);
        case 'FunctionCall': {
          const name = text(node.getChild('FunctionIdentifier') ?? node);
          functions.push(name);
          if (name === 'label_replace') {
            const made = node.getChild('FunctionCallBody')?.getChild('StringLiteral');
            if (made) query.madeLabels.push(text(made).slice(1, -1));
          }
          return;
        }
        case 'AggregateExpr':
          aggregations.push(text(node.getChild('AggregateOp') ?? node));
          return;
        case 'VectorSelector': {
          const series = node.getChild('Identifier');
          if (!series) throw new Error(`A selector without a metric's name: ${expression}`);
          const matchers =
            node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
          query.selectors.push({
            series: text(series),
            labels: matchers.map((matcher) => text(matcher.getChild('LabelName') ?? matcher)),
            rangeFunction: node.parent?.name === 'MatrixSelector' ? functions.at(-1) : undefined,
            aggregation: aggregations.at(-1),
          });
          return;
        }
        case 'GroupingLabels':
          query.groupingLabels.push(...node.getChildren('LabelName').map(text));
      }
    },
    leave(ref) {
      if (ref.name === 'FunctionCall') functions.pop();
      if (ref.name === 'AggregateExpr') aggregations.pop();
    },
  });
  return query;
}

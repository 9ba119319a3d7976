/**
 * The words that dashboards are written in: a panel is what it asks, in which unit, and what a
 * person should make of it. Where panels lie, their ids and Grafana's many fields follow from that,
 * always in the same way, so that a change to a query is a change of one line in the JSON as well.
 */

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's notation for a variable.
const datasource = { type: 'prometheus', uid: '${datasource}' };

/** Width and height of each kind, in Grafana's grid of 24 columns. */
const sizes = { stat: [4, 4], timeseries: [8, 8], table: [8, 8] };

/**
 * @param {object} panel
 * @param {string} panel.title
 * @param {string} panel.unit Grafana's name of it
 * @param {string} panel.description what it shows, what a bad picture means, what to do
 * @param {Record<string, string>} panel.ask PromQL by legend
 * @param {[colour: string, from: number][]} [panel.bad] where it is no longer green
 */
export const stat = (panel) => ({ type: 'stat', ...panel });
export const graph = (panel) => ({ type: 'timeseries', ...panel });
export const table = (panel) => ({ type: 'table', ...panel });
export const row = (title) => ({ type: 'row', title });

/** A variable that is filled from the labels that there are. */
export const variable = (name, label, query) => ({
  name,
  label,
  type: 'query',
  query: { query, refId: name },
  definition: query,
  datasource,
  allValue: '.*',
  includeAll: true,
  multi: true,
  current: { text: ['All'], value: ['$__all'] },
  refresh: 2,
  sort: 1,
  hide: 0,
  options: [],
  regex: '',
});

/** @returns Grafana's JSON of a dashboard */
export function dashboard({ uid, title, description, variables = [], panels }) {
  return {
    uid,
    title,
    description,
    tags: ['cutline'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    // From each dashboard to its siblings, with the same time and variables.
    links: [
      {
        title: 'Cutline',
        type: 'dashboards',
        tags: ['cutline'],
        asDropdown: false,
        includeVars: true,
        keepTime: true,
        targetBlank: false,
        icon: 'dashboard',
        tooltip: '',
        url: '',
      },
    ],
    annotations: { list: [runStarts, deploys] },
    templating: {
      list: [
        {
          name: 'datasource',
          label: 'Data source',
          type: 'datasource',
          query: 'prometheus',
          current: { text: 'default', value: 'default' },
          hide: 0,
          includeAll: false,
          multi: false,
          options: [],
          refresh: 1,
          regex: '',
        },
        ...variables,
      ],
    },
    panels: layOut(panels),
  };
}

const annotation = (name, iconColor, expr, titleFormat) => ({
  name,
  enable: true,
  hide: false,
  iconColor,
  datasource,
  expr,
  step: '60s',
  titleFormat,
});
const runStarts = annotation(
  'Run starts',
  'blue',
  'max by (run) (cutline_run_info) unless max by (run) (cutline_run_info offset 1m)',
  '{{run}} starts',
);
const deploys = annotation(
  'Deploys',
  'purple',
  'max by (version) (cutline_build_info) unless max by (version) (cutline_build_info offset 1m)',
  'Cutline {{version}}',
);

/** From left to right; a row, and what does not fit beside the last, begins below it. */
function layOut(panels) {
  let [x, y, lineHeight] = [0, 0, 0];
  return panels.map((panel, index) => {
    const [w, h] = panel.type === 'row' ? [24, 1] : sizes[panel.type];
    if (x + w > 24 || (x > 0 && h !== lineHeight)) {
      [x, y] = [0, y + lineHeight];
    }
    lineHeight = h;
    const gridPos = { x, y, w, h };
    x += w;
    return panel.type === 'row'
      ? { id: index + 1, type: 'row', title: panel.title, gridPos, collapsed: false, panels: [] }
      : whole(panel, index + 1, gridPos);
  });
}

function whole({ type, title, unit, description, ask, bad = [], link }, id, gridPos) {
  const steps = [
    { color: 'green', value: null },
    ...bad.map(([color, value]) => ({ color, value })),
  ];
  return {
    id,
    type,
    title,
    description,
    datasource,
    gridPos,
    links: link ? [{ title: link, url: `/d/${link}`, targetBlank: false }] : [],
    fieldConfig: {
      defaults: {
        unit,
        thresholds: { mode: 'absolute', steps },
        ...(type === 'timeseries'
          ? { min: 0, custom: { thresholdsStyle: { mode: bad.length > 0 ? 'line' : 'off' } } }
          : {}),
      },
      overrides: [],
    },
    options:
      type === 'stat'
        ? { colorMode: 'value', reduceOptions: { calcs: ['lastNotNull'] } }
        : type === 'timeseries'
          ? { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } }
          : {},
    targets: Object.entries(ask).map(([legendFormat, expr], index) => ({
      refId: String.fromCharCode(65 + index),
      expr,
      legendFormat,
      datasource,
      ...(type === 'table' ? { format: 'table', instant: true } : {}),
    })),
  };
}

import { dashboard, graph, stat, table, variable } from './panels.mjs';

const ofRun = '{run=~"$run"}';

/** One run, or some: how far, how fast, how long, what it waits for, what fails in it. */
export const run = dashboard({
  uid: 'cutline-run',
  title: 'Cutline: Run',
  description: 'How far a run is, when it ends, what it waits for, and what fails in it.',
  variables: [variable('run', 'Run', 'label_values(cutline_run_info, run)')],
  panels: [
    stat({
      title: 'Done',
      unit: 'percentunit',
      description:
        'Images with a result among those that are listed so far. It may fall while the listing goes on; the panel "Listing complete" says whether it does.',
      ask: {
        '{{run}}': `1 - max by (run) (cutline_run_remaining_images${ofRun}) / clamp_min(max by (run) (cutline_run_images{run=~"$run",state="listed"}), 1)`,
      },
    }),
    stat({
      title: 'Listing complete',
      unit: 'bool_yes_no',
      description:
        'Whether all images are listed. As long as they are not, what is left is not known yet, and the time that is left is a lower bound.',
      ask: { '{{run}}': `max by (run) (cutline_run_listing_complete${ofRun})` },
    }),
    stat({
      title: 'Time left',
      unit: 's',
      description:
        'What the slower stage takes for what it has left, at its rate of the last five minutes. Infinite: it stands still. Enlarge the pool of the bottleneck.',
      ask: { '{{run}}': `max by (run) (cutline_run_drain_seconds${ofRun})` },
    }),
    stat({
      title: 'Since progress',
      unit: 's',
      description:
        'Time since the last batch was encoded or captioned. Minutes, in a run that has images left, are a stalled run: see its runbook.',
      ask: { '{{run}}': `max by (run) (cutline_run_idle_seconds${ofRun})` },
      bad: [
        ['orange', 120],
        ['red', 600],
      ],
    }),
    stat({
      title: 'Producers',
      unit: 'short',
      description:
        'Whether a producer sees the run to its end. 0 with images left: workers finish what is enqueued, and then it stops. Go on with "cutline resume".',
      ask: { '{{run}}': `max by (run) (cutline_run_producers${ofRun})` },
    }),
    stat({
      title: 'Listed bytes',
      unit: 'bytes',
      description:
        'Size of the images that are listed. It is absent of a run whose listing was interrupted and gone on with, and 0 where a list of keys tells no sizes.',
      ask: { '{{run}}': `max by (run) (cutline_run_listed_bytes${ofRun})` },
    }),
    stat({
      title: 'Late',
      unit: 's',
      description:
        'Of a run that has a deadline: how long after it the run is done at the rate of late; negative: before it. Without a deadline there is nothing here.',
      ask: {
        '{{run}}': `time() + max by (run) (cutline_run_drain_seconds${ofRun}) - on (run) max by (run) (cutline_run_deadline_timestamp_seconds${ofRun})`,
      },
      bad: [['red', 0]],
    }),
    graph({
      title: 'Images by state',
      unit: 'short',
      description:
        'listed rises first; captioned, skipped and failed together end where listed does. A gap between encoded and captioned is what decoders have before them.',
      ask: { '{{run}} {{state}}': `max by (run, state) (cutline_run_images${ofRun})` },
    }),
    graph({
      title: 'Results a second',
      unit: 'suffix: images/s',
      description:
        'How fast images of a run get results, of whatever kind, over five minutes. Compare it with other runs of the same model: they share its workers.',
      ask: {
        '{{run}}': `sum by (run) (max by (run, state) (deriv(cutline_run_images{run=~"$run",state=~"captioned|skipped|failed"}[5m])))`,
      },
    }),
    graph({
      title: 'Time left by stage',
      unit: 's',
      description:
        'Work left divided by the rate of late, for each stage. The larger one is the pool to enlarge; when it rises while images become fewer, that pool loses workers.',
      ask: { '{{run}} {{stage}}': `max by (run, stage) (cutline_run_drain_seconds${ofRun})` },
    }),
    graph({
      title: 'Bottleneck',
      unit: 'bool_on_off',
      description:
        'The stage that the others wait for. encode or decode: enlarge that pool. list: the store lists no faster, or the window of the run (--window) is too small.',
      ask: { '{{run}} {{stage}}': `max by (run, stage) (cutline_run_bottleneck${ofRun})` },
    }),
    graph({
      title: 'Failed images by class',
      unit: 'short',
      description:
        'What failed so far, by class, as the summary will have it. "cutline retry <run> --class <class>" tries a class again once its cause is put right.',
      ask: { '{{run}} {{class}}': `max by (run, class) (cutline_run_failed_images${ofRun})` },
    }),
    table({
      title: 'Runs and their models',
      unit: 'short',
      description:
        'Runs that are not finished, and the last ten that are, each with its model. Workers of another model do not take its jobs: compare with the pools’ pages.',
      ask: { run: `max by (run, model) (cutline_run_info${ofRun})` },
    }),
  ],
});

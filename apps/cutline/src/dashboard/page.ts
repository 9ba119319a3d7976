import { html } from '../gallery/index.ts';
import type { Page } from '../loopback/page-files.ts';
import { pageStyle } from './page-style.ts';

/** The page of a dashboard, before its script fills it. */
export const dashboardPage: Page = {
  title: 'Dashboard',
  style: pageStyle,
  folder: 'dashboard/client',
  scripts: ['dashboard', 'format', 'show-runs', 'show-tables'],
  body: html`
<header class="bar">
<div><p class="eyebrow">Cutline</p><h1>Dashboard</h1></div>
<dl class="figures" id="redis"></dl>
</header>
<p class="trouble" id="trouble" role="status" hidden></p>
<main id="main">
<section aria-labelledby="runs-heading"><h2 id="runs-heading">Runs</h2>
<div id="runs"></div>
<p class="empty" id="no-runs" hidden>No run goes on, and none did of late. Begin one: <code>cutline run s3://…</code></p>
</section>
<section aria-labelledby="queues-heading"><h2 id="queues-heading">Queues</h2>
<div class="scroll"><table id="queues"></table></div>
<p class="empty" id="no-queues" hidden>There are queues once a run goes on.</p>
</section>
<section aria-labelledby="workers-heading"><h2 id="workers-heading">Workers</h2>
<div class="scroll"><table id="workers"></table></div>
<p class="empty" id="no-workers" hidden>No worker has told of itself: start an encoder-worker and a decoder-worker.</p>
</section>
</main>
<footer class="foot"><p>As Redis tells it, every two seconds. Nothing can be changed here.</p></footer>`,
};

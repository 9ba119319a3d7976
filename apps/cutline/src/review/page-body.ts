/** The page as it stands before its scripts fill it: nothing of it is about a run. */
import { type Html, html } from '../gallery/index.ts';

export const pageBody: Html = html`
<header class="bar">
<div class="name"><p class="eyebrow">Cutline review</p><h1 id="run">…</h1></div>
<div class="progress">
<progress id="bar" max="1" value="0" aria-label="Judged"></progress>
<p><strong id="judged"></strong> <span id="tally"></span></p>
<p class="quiet"><span id="pace"></span> <span id="saving" role="status"></span></p>
</div>
<div class="tools">
<button type="button" id="show-filters" aria-expanded="false" aria-controls="filters">Show <kbd>F</kbd></button>
<button type="button" id="show-keys">Keys <kbd>?</kbd></button>
</div>
</header>
<form class="filters" id="filters" role="search" hidden>
<label class="search"><span>Search</span><input type="search" id="search" placeholder="Words of captions and keys" autocomplete="off" spellcheck="false"></label>
<label><span>Order</span><select id="order">
<option value="least-certain">least certain first</option>
<option value="random">at random</option>
<option value="listing">as listed</option>
<option value="most-certain">most certain first</option>
</select></label>
<label><span>Judged</span><select id="state">
<option value="open">not yet</option>
<option value="reviewed">already</option>
<option value="accepted">accepted</option>
<option value="corrected">corrected</option>
<option value="rejected">rejected</option>
<option value="any">or not</option>
</select></label>
<label><span>Of</span><select id="kind"></select></label>
<fieldset><legend>Score</legend>
<label><span class="unseen">Score from</span><input id="score-min" inputmode="text" placeholder="from" size="5" autocomplete="off"></label>
<label><span class="unseen">Score to</span><input id="score-max" inputmode="text" placeholder="to" size="5" autocomplete="off"></label>
</fieldset>
<button type="button" id="clear">Clear</button>
</form>
<main id="stage" hidden>
<figure class="mat" id="mat" data-state="loading">
<img id="image" alt="" decoding="async">
<p class="no-picture">No picture: the image cannot be read now</p>
</figure>
<section class="desk" id="desk" aria-label="Caption">
<p class="review" id="review" hidden></p>
<label class="unseen" for="caption">Caption</label>
<textarea id="caption" rows="1" dir="auto" maxlength="10000" enterkeyhint="done"></textarea>
<ul class="notes" id="notes"></ul>
<div class="actions">
<button type="button" id="accept" class="main"><span id="accept-label">Accept</span> <kbd>↵</kbd></button>
<button type="button" id="reject">Reject <kbd>X</kbd></button>
<button type="button" id="next">Skip <kbd>→</kbd></button>
<button type="button" id="undo" disabled>Undo <kbd>U</kbd></button>
</div>
<ol class="candidates" id="candidates" aria-label="Other candidates"></ol>
<p class="facts"><span id="facts"></span><span id="position"></span></p>
<p class="key"><code><bdi dir="ltr" id="key"></bdi></code></p>
</section>
<section class="finished" id="finished" hidden>
<h2 id="end-heading"></h2>
<p id="end-text"></p>
<p><button type="button" id="again">Show what was left out</button> <button type="button" id="back">Back</button></p>
</section>
</main>
<footer class="foot"><p>Reviewed by <strong id="who"></strong>. Captions by <code id="model"></code>.</p></footer>
<div class="said" id="said" role="alert"></div>
<dialog id="keys" aria-labelledby="keys-heading">
<h2 id="keys-heading">Keys</h2>
<dl>
<div><dt><kbd>Enter</kbd> or <kbd>A</kbd></dt><dd>accept the caption, or save what you wrote</dd></div>
<div><dt><kbd>X</kbd> or <kbd>R</kbd></dt><dd>reject it: none of the candidates is right</dd></div>
<div><dt><kbd>1</kbd> … <kbd>9</kbd></dt><dd>take this candidate</dd></div>
<div><dt><kbd>E</kbd></dt><dd>write; <kbd>Enter</kbd> saves, <kbd>Esc</kbd> leaves it as it was</dd></div>
<div><dt><kbd>→</kbd> or <kbd>Space</kbd></dt><dd>skip: it stays to be judged</dd></div>
<div><dt><kbd>←</kbd> or <kbd>B</kbd></dt><dd>go back</dd></div>
<div><dt><kbd>U</kbd> or <kbd>Ctrl</kbd> <kbd>Z</kbd></dt><dd>take the last decision back</dd></div>
<div><dt><kbd>Z</kbd></dt><dd>see the image larger</dd></div>
<div><dt><kbd>/</kbd></dt><dd>search</dd></div>
<div><dt><kbd>F</kbd></dt><dd>choose what is shown</dd></div>
</dl>
<form method="dialog"><button>Close</button></form>
</dialog>`;

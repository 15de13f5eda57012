// Buttons, menus and dialogs. Each button is pending until the gateway's answer, which is shown and said.
'use strict';

/** Gives an order by a button; nothing when that one still waits for its answer. */
async function ask(button, request) {
	if (button?.getAttribute('aria-busy') === 'true') return null;
	const busy = [button, button?.closest('.acts')?.querySelector('[data-do=menu]')].filter(Boolean);
	busy.forEach((one) => one.setAttribute('aria-busy', 'true'));
	try {
		return await order(request);
	} finally {
		busy.forEach((one) => one.removeAttribute('aria-busy'));
	}
}

/** What an answer says: a sentence, and whether it is done. */
function saidBy(answer) {
	if (typeof answer.refused === 'string') return { text: answer.refused, done: false };
	return { text: answer.done ?? answer.invite?.sentence ?? 'Done.', done: true };
}

let undoing = null;
let hushing = 0;

/** Shows a sentence below, and says it to those who listen. */
function say({ text, done }, undo = null) {
	undoing = done ? undo : null;
	const toast = by('toast');
	mark(toast, 'data-q', done ? 'good' : 'bad');
	put(by('toast-text'), text);
	show(by('undo'), undoing);
	show(toast, true);
	clearOf(toast.offsetHeight);
	put(by('said'), '');
	setTimeout(() => put(by('said'), undoing ? `${text} It can be undone.` : text), 50);
	clearTimeout(hushing);
	hushing = setTimeout(hush, 30_000);
}

function hush() {
	if (by('toast').matches(':hover, :focus-within')) {
		hushing = setTimeout(hush, 5000);
		return;
	}
	shut();
}

function shut() {
	show(by('toast'), false);
	clearOf(0);
}

/** What gets the focus, and what is scrolled into view, is not under a sentence so high; nor is what has the focus by the keyboard. */
function clearOf(height) {
	document.documentElement.style.scrollPaddingBottom = height ? `calc(${height}px + 1.5rem)` : '';
	if (height) document.querySelector(':focus-visible')?.scrollIntoView({ block: 'nearest' });
}

/** Orders, says what came of it, and offers `undo`. */
async function act(button, request, undo = null) {
	const answer = await ask(button, request);
	if (!answer) return;
	say(saidBy(answer), undo);
}

/* Menus */

let menu = null;

function closeMenu(refocus) {
	if (!menu) return;
	const { button, items } = menu;
	menu = null;
	items.hidden = true;
	button.setAttribute('aria-expanded', 'false');
	if (refocus) button.focus();
}

function openMenu(button) {
	const was = menu?.button;
	closeMenu(false);
	if (was === button) return;
	const items = button.nextElementSibling;
	items.hidden = false;
	items.setAttribute('aria-label', button.getAttribute('aria-label'));
	button.setAttribute('aria-expanded', 'true');
	menu = { button, items };
	items.firstElementChild.focus();
	items.scrollIntoView({ block: 'nearest' });
}

document.addEventListener('keydown', (event) => {
	if (!menu) return;
	const entries = [...menu.items.children];
	const at = entries.indexOf(document.activeElement);
	const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
	if (event.key === 'Escape') closeMenu(true);
	else if (event.key === 'Tab') closeMenu(true);
	else if (to !== undefined) entries.at(to % entries.length).focus();
	else return;
	if (event.key !== 'Tab') event.preventDefault();
});

/* Dialogs */

/** Shows a dialog; its trouble of before is forgotten. */
function openDialog(id) {
	closeMenu(true);
	show(by(`${id}-trouble`), false);
	by(id).showModal();
}

/** What came of a dialog's order: said and closed when it is done, else shown in there. */
function settle(id, answer, undo = null) {
	if (!answer) return false;
	const said = saidBy(answer);
	if (!said.done && by(id).open) {
		put(by(`${id}-trouble`), said.text);
		show(by(`${id}-trouble`), true);
		return false;
	}
	by(id).close();
	say(said, undo);
	return said.done;
}

let confirmed = null;

/** Asks before what cannot be taken back. `run` gets the button and tells the answer. */
function confirmFirst({ title, name, mac, text, yes, run }) {
	put(by('h-confirm'), title);
	show(by('confirm-whom'), name);
	put(by('confirm-name'), name);
	put(by('confirm-mac'), mac === name ? '' : mac);
	put(by('confirm-text'), text);
	put(by('confirm-yes'), yes);
	confirmed = run;
	openDialog('confirm');
	by('confirm-no').focus();
}

/* Reach */

/** A choice of what may be reached: radio buttons, and a text for what is named. */
function reachShown(form, name, kind) {
	show(by(`${form}-more`), kind === 'games' || kind === 'only');
	put(by(`${form}-label`), kind === 'games' ? 'And these as well, one a line' : 'Named, one a line');
	for (const radio of by(`${form}-form`).elements[name]) radio.checked = radio.value === kind;
}

const reachChosen = (form, name) => by(`${form}-form`).elements[name].value;

/** True while the host has chosen something and not applied it. */
let choosing = false;

function drawReach() {
	if (!now) return;
	const { kind, named, text } = reachSaid(now.reach);
	put(by('reach-now'), text);
	if (choosing) return;
	reachShown('reach', 'reach', kind);
	const lines = named.join('\n');
	if (by('reach-text').value !== lines) by('reach-text').value = lines;
	show(by('reach-tools'), false);
}

document.addEventListener('drawn', drawReach);

for (const form of ['reach', 'own-reach']) {
	by(`${form}-form`).addEventListener('input', (event) => {
		if (event.target.type === 'radio') reachShown(form, event.target.name, event.target.value);
		if (form !== 'reach') return;
		choosing = true;
		show(by('reach-tools'), true);
	});
}

by('reach-form').addEventListener('submit', async (event) => {
	event.preventDefault();
	const reach = reachMeant(reachChosen('reach', 'reach'), by('reach-text').value);
	const before = now.reach;
	const answer = await ask(event.submitter, { do: 'reach', reach });
	if (!answer) return;
	const said = saidBy(answer);
	say(said, { do: 'reach', reach: before });
	if (said.done) choosing = false;
});

let meant = null;

by('own-reach-form').addEventListener('submit', async (event) => {
	event.preventDefault();
	const kind = reachChosen('own-reach', 'own');
	const reach = kind ? reachMeant(kind, by('own-reach-text').value) : null;
	const { mac, reach: before = null } = meant;
	settle('own-reach', await ask(event.submitter, { do: 'reach', who: mac, reach }), { do: 'reach', who: mac, reach: before });
});

/* Names */

let renaming = null;

function openRename(who, title, name, help) {
	renaming = { who, before: name };
	put(by('h-rename'), title);
	put(by('rename-help'), help);
	by('rename-text').value = name;
	openDialog('rename');
	by('rename-text').select();
}

by('rename-form').addEventListener('submit', async (event) => {
	event.preventDefault();
	const { who, before } = renaming;
	const whom = who ? { who } : {};
	const request = { do: 'rename', ...whom, name: by('rename-text').value.trim() };
	settle('rename', await ask(by('rename-yes'), request), { do: 'rename', ...whom, name: before });
});

/* The invite */

/** How long an invite stays on a screen that others may see. */
const SHOWN = 60;
let until = 0;
let ticking = 0;

function wipeInvite() {
	clearInterval(ticking);
	by('qr').replaceChildren();
	by('invite-link').value = '';
	by('invite-page').value = '';
	show(by('invite-shown'), false);
	show(by('invite-longer'), false);
	put(by('invite-clock'), '');
}

function tick() {
	const left = Math.ceil((until - Date.now()) / 1000);
	if (left <= 0) {
		wipeInvite();
		by('invite').close();
		say({ text: 'The invite is hidden again.', done: true });
		return;
	}
	put(by('invite-clock'), `Who has this link comes in, so it is hidden again in ${left} s.`);
}

function tickOn() {
	until = Date.now() + SHOWN * 1000;
	clearInterval(ticking);
	ticking = setInterval(tick, 500);
	tick();
}

function showInvite({ link, page, svg, expires, sentence }) {
	put(by('invite-sentence'), sentence);
	show(by('invite-sentence'), sentence);
	by('qr').replaceChildren(...[picture(svg)].filter(Boolean));
	by('invite-link').value = link;
	by('invite-page').value = page || '';
	show(by('invite-page-label'), page);
	show(by('copy-page'), page);
	const end = expires ? `until ${new Date(expires * 1000).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' })}` : 'until you make a new key';
	put(by('invite-who'), `Whoever has this link can join, ${end}. Send it only to people you want in your home network.`);
	show(by('invite-wait'), false);
	show(by('invite-shown'), true);
	show(by('invite-longer'), true);
	tickOn();
}

const SVG = 'http://www.w3.org/2000/svg';
const SHAPES = { svg: ['viewBox'], g: [], rect: ['x', 'y', 'width', 'height', 'fill'], path: ['d', 'fill', 'transform'] };

/** The gateway's picture, drawn anew from its shapes: nothing else of what it says gets into the page. */
function picture(svg) {
	const read = new DOMParser().parseFromString(svg, 'image/svg+xml').documentElement;
	const copy = (node) => {
		const known = node.namespaceURI === SVG && SHAPES[node.localName];
		if (!known) return null;
		const made = document.createElementNS(SVG, node.localName);
		for (const name of known) if (node.hasAttribute(name)) made.setAttribute(name, node.getAttribute(name));
		made.append(...[...node.children].map(copy).filter(Boolean));
		return made;
	};
	const made = read.localName === 'svg' ? copy(read) : null;
	if (made && !made.hasAttribute('viewBox')) {
		made.setAttribute('viewBox', `0 0 ${parseInt(read.getAttribute('width'), 10)} ${parseInt(read.getAttribute('height'), 10)}`);
	}
	made?.setAttribute('shape-rendering', 'crispEdges');
	return made;
}

async function fetchInvite(button) {
	const hours = Number(by('invite-hours').value) || null;
	const answer = await ask(button, { do: 'invite', hours });
	if (!answer || !by('invite').open) return;
	invited(answer);
}

function invited(answer) {
	if (answer.invite) {
		show(by('invite-trouble'), false);
		showInvite(answer.invite);
		return;
	}
	wipeInvite();
	show(by('invite-wait'), false);
	put(by('invite-trouble'), saidBy(answer).text);
	show(by('invite-trouble'), true);
}

function openInvite() {
	wipeInvite();
	show(by('invite-wait'), true);
	openDialog('invite');
	by('h-invite').focus();
}

by('invite').addEventListener('close', wipeInvite);
by('invite-hours').addEventListener('change', () => fetchInvite(by('invite-hours')));

async function copy(input, what) {
	input.focus();
	input.select();
	let is = false;
	try {
		await navigator.clipboard.writeText(input.value);
		is = true;
	} catch {
		is = document.execCommand('copy');
	}
	const text = is ? `${what} is in the clipboard.` : 'The browser lets nothing into the clipboard; the link is selected, copy it by Ctrl+C.';
	put(by('invite-sentence'), text);
	show(by('invite-sentence'), true);
	put(by('said'), text);
}

/* Buttons by their `data-do` */

const rowOf = (button) => button.closest('tr, li').item;
/** The player of a row, as it is now. */
const memberOf = (button) => playerOf(rowOf(button).mac) || rowOf(button);

/** An order from a menu: the menu stays until the answer is there. */
async function fromMenu(button, request, undo) {
	await act(button, request, undo);
	if (menu?.items.contains(button)) closeMenu(menu.items.contains(document.activeElement));
}

function confirmPlayer(button, text) {
	const player = memberOf(button);
	const verb = button.dataset.do;
	const word = verb === 'kick' ? 'Kick' : 'Ban';
	const undo = verb === 'ban' ? { do: 'unban', who: player.mac } : null;
	confirmFirst({
		title: `${word} this player?`,
		name: callOf(player),
		mac: player.mac,
		text,
		yes: `${word} this player`,
		run: async (yes) => settle('confirm', await ask(yes, { do: verb, who: player.mac }), undo),
	});
}

const ACTS = {
	menu: openMenu,
	mute(button) {
		const { mac: who, muted } = memberOf(button);
		fromMenu(button, { do: 'mute', who, on: !muted }, { do: 'mute', who, on: muted });
	},
	kick: (button) => confirmPlayer(button, 'Whoever is kicked is out at once, and can come back with the same invite while the party is not locked.'),
	ban: (button) => confirmPlayer(button, 'Whoever is banned is out at once and stays out, with whatever invite, until you let them in again.'),
	rename(button) {
		const player = memberOf(button);
		const help = `Your name for this player, on this page and in your lists. Empty: what the player says${player.own_name ? ` (${player.own_name})` : ''}.`;
		openRename(player.mac, 'Rename this player', player.own_name ? player.name : '', help);
		if (!player.own_name) {
			by('rename-text').value = player.name || '';
			by('rename-text').select();
		}
	},
	ownReach(button) {
		meant = memberOf(button);
		const { kind, named } = meant.reach ? reachSaid(meant.reach) : { kind: '', named: [] };
		put(by('own-reach-name'), callOf(meant));
		put(by('own-reach-mac'), meant.mac === callOf(meant) ? '' : meant.mac);
		by('own-reach-text').value = named.join('\n');
		reachShown('own-reach', 'own', kind);
		openDialog('own-reach');
		by('own-reach-form').querySelector(':checked').focus();
	},
	unban(button) {
		const who = banned(rowOf(button));
		act(button, { do: 'unban', who }, { do: 'ban', who });
	},
	lock: (button) => act(button, { do: 'lock', on: !now.locked }, { do: 'lock', on: now.locked }),
	isolate: (button) => act(button, { do: 'isolate', on: !now.isolated }, { do: 'isolate', on: now.isolated }),
	allow(button) {
		const what = rowOf(button).allow;
		act(button, { do: 'allow', what }, { do: 'disallow', what });
	},
	moveTo(button) {
		const { address, region } = rowOf(button);
		confirmFirst({
			title: 'Take the party there?',
			name: region || address,
			mac: address,
			text: 'Everybody follows by themselves; games see a gap of a second. If it is not taken there, it stays.',
			yes: 'Take it there',
			run: async (yes) => settle('confirm', await ask(yes, { do: 'move_to', relay: address })),
		});
	},
	reachBack() {
		choosing = false;
		drawReach();
	},
	renameParty: () => openRename(null, 'Rename the party', now.party.name || '', 'What invites and this page call it.'),
	invite(button) {
		openInvite();
		fetchInvite(button);
	},
	inviteLonger: tickOn,
	copyLink: () => copy(by('invite-link'), 'The invite\'s link'),
	copyPage: () => copy(by('invite-page'), 'The page\'s link'),
	newKey() {
		by('invite').close();
		confirmFirst({
			title: 'Make a new key?',
			text: 'The invites that you have sent open nothing from then on. Whoever is in stays in. You get a new invite to send.',
			yes: 'Make a new key',
			run: async (yes) => {
				const answer = await ask(yes, { do: 'new_key' });
				if (!settle('confirm', answer) || !answer.invite) return;
				openInvite();
				invited(answer);
			},
		});
	},
	confirmed: (button) => confirmed?.(button),
	close: (button) => button.closest('dialog').close(),
	hush: shut,
	undo: (button) => undoing && act(button, undoing),
};

document.addEventListener('click', (event) => {
	const button = event.target.closest('[data-do]');
	if (menu && !menu.items.contains(event.target) && button !== menu.button) closeMenu(false);
	if (!button || (!now && button.dataset.do !== 'close')) return;
	ACTS[button.dataset.do](button);
});

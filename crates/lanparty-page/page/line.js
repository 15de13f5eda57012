// The line to the gateway: the session, the stream of snapshots, orders. Nothing is drawn here.
'use strict';

/** After so long without a word the connection counts as lost. */
const SILENCE = 2500;
/** After so long it is made anew. */
const GIVE_UP = 8000;

const line = {
	/** Hears each snapshot. */
	onSnapshot() {},
	/** Hears what is wrong with the line: `lost`, `stranger` (no session), `wrong` (nor a link to one), `ended` (there was one), or nothing. */
	onTrouble() {},
};

const pause = (time) => new Promise((done) => setTimeout(done, time));

function post(path, body, time) {
	return fetch(path, {
		method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify(body),
		credentials: 'same-origin',
		cache: 'no-store',
		signal: AbortSignal.timeout(time),
	});
}

/** Why the gateway does not know this browser. */
let unknown = 'stranger';

/** Swaps the token of the link for a session; it stays neither in the address nor in the history. */
async function enter() {
	const token = new URLSearchParams(location.hash.slice(1)).get('t');
	if (!token) return;
	history.replaceState(null, '', location.pathname);
	for (let tries = 0; tries < 5; tries += 1) {
		try {
			const response = await post('/session', { token }, GIVE_UP);
			unknown = response.ok ? 'ended' : 'wrong';
			return;
		} catch {
			await pause(1000);
		}
	}
}

/** Gives an order and tells what has come of it; whatever goes wrong is a refusal with a sentence. */
async function order(request) {
	let response;
	try {
		response = await post('/order', request, 20_000);
	} catch {
		return { refused: 'The gateway has not answered; look whether it was done, and try again.' };
	}
	if (response.status === 401 || response.status === 403) {
		return { refused: 'The gateway takes no orders from this page any more. Open the link that `lanparty-gateway ctl page` prints.' };
	}
	try {
		return await response.json();
	} catch {
		return { refused: `The gateway did not understand this (status ${response.status}). Load the page again.` };
	}
}

let heard = 0;
let wasIn = false;
let given = null;

/** Reads one stream to its end. */
async function listen() {
	given = new AbortController();
	heard = performance.now();
	const response = await fetch('/events', {
		headers: { Accept: 'text/event-stream' },
		credentials: 'same-origin',
		cache: 'no-store',
		signal: given.signal,
	});
	if (response.status === 401 || response.status === 403) return unknown;
	if (!response.ok) return 'lost';
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	for (let rest = ''; ;) {
		const { value, done } = await reader.read();
		if (done) return 'lost';
		heard = performance.now();
		const messages = (rest + value).split(/\r?\n\r?\n/);
		rest = messages.pop();
		for (const message of messages) hear(message);
	}
}

function hear(message) {
	const data = message.split(/\r?\n/).filter((text) => text.startsWith('data:'));
	if (!data.length) return;
	const snapshot = JSON.parse(data.map((text) => text.slice(5)).join('\n'));
	wasIn = true;
	unknown = 'ended';
	line.onTrouble(null);
	try {
		line.onSnapshot(snapshot);
	} catch (error) {
		// A page that cannot draw something goes on with the rest, and says so to whoever looks for it.
		console.error(error);
	}
}

async function watch() {
	await enter();
	for (;;) {
		const end = await listen().catch(() => 'lost');
		line.onTrouble(end);
		await pause(end === 'lost' ? 700 : 3000);
	}
}

setInterval(() => {
	const silent = performance.now() - heard;
	if (!given || silent < SILENCE) return;
	if (wasIn) line.onTrouble('lost');
	if (silent > GIVE_UP) given.abort();
}, 500);

// A link pasted into the address of a page that is open already.
addEventListener('hashchange', () => enter().then(() => given?.abort()));

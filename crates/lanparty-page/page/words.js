// Numbers and states as people say them. Pure: nothing here touches the page.
'use strict';

/** What a stranger wrote, without what would turn the text around it or break its line. */
const plain = (text) =>
	String(text ?? '').replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, ' ');

/** A span of time. */
function span(seconds) {
	const s = Math.max(0, Math.floor(seconds));
	if (s < 60) return `${s} s`;
	if (s < 3600) return `${Math.floor(s / 60)} min`;
	if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor(s / 60) % 60).padStart(2, '0')} min`;
	return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

/** Bytes per second. */
function rate(bytes) {
	const units = ['B/s', 'kB/s', 'MB/s', 'GB/s'];
	let value = bytes || 0;
	let unit = 0;
	while (value >= 999.5 && unit < units.length - 1) {
		value /= 1000;
		unit += 1;
	}
	return `${unit && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** A round trip in microseconds. */
function ms(us) {
	return us < 9950 ? `${(us / 1000).toFixed(1)} ms` : `${Math.round(us / 1000)} ms`;
}

const count = (number, one, many) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;

/** A round trip's number, word and quality. */
function pingSaid(us) {
	if (us == null) return { text: 'not known yet', q: 'none' };
	if (us < 80_000) return { text: `${ms(us)} good`, q: 'good' };
	if (us < 150_000) return { text: `${ms(us)} slow`, q: 'slow' };
	return { text: `${ms(us)} bad`, q: 'bad' };
}

/** How much gets lost: number, word, quality. */
function lossSaid(permille) {
	if (permille == null) return { text: 'not known yet', q: 'none' };
	const number = `${(permille / 10).toFixed(permille && permille < 100 ? 1 : 0)} %`;
	if (permille < 5) return { text: `${number} good`, q: 'good' };
	if (permille < 20) return { text: `${number} some`, q: 'slow' };
	return { text: `${number} bad`, q: 'bad' };
}

const WAYS = { relay: 'relay', relay_over_tcp: 'relay over TCP', direct: 'direct', here: 'direct', here_over_tcp: 'direct over TCP' };
/** What is over in a moment is nobody's trouble. */
const PASSING = ['not_yet', 'meeting', 'broken_off'];

/** The way that frames take, and how long it is: `direct 12 ms`. */
function waySaid({ way, ping_us: us }) {
	const word = WAYS[way] || 'another way';
	return us == null ? word : `${word} ${ms(us)}`;
}

/** Why some do not go straight, one for each reason, with all whom it is about. */
function detours(players) {
	const found = new Map();
	for (const player of players) {
		const why = player.not_direct;
		if (!why?.sentence || PASSING.includes(why.id)) continue;
		const who = player.name || player.mac || 'somebody';
		found.set(why.sentence, [...(found.get(why.sentence) || []), who]);
	}
	return [...found].map(([sentence, who]) => ({ sentence, who: who.join(', ') }));
}

const LINKS = {
	connecting: { text: 'Connecting', q: 'wait' },
	connected: { text: 'Connected', q: 'good' },
	lost: { text: 'Lost, trying again', q: 'bad' },
};
const PORTS = {
	proved: { text: 'Open, and proved from outside', q: 'good' },
	opened: { text: 'Opened, not tried from outside', q: 'slow' },
	unknown: { text: 'Not known', q: 'wait' },
	checking: { text: 'Being looked at', q: 'wait' },
	shut: { text: 'Shut', q: 'bad' },
};
const MARKS = {
	bad: { text: 'The party does not work:', q: 'bad' },
	doubtful: { text: 'Look at this:', q: 'slow' },
	note: { text: 'Good to know:', q: 'note' },
};

/** What may be reached, from the wire: a word, what is named beside it, and both as a sentence. */
function reachSaid(reach) {
	const [kind, named] =
		reach && reach.games ? ['games', reach.games.also || []]
			: reach && reach.only ? ['only', reach.only.allowed || []]
				: reach === 'games' ? ['games', []] : ['everything', []];
	const list = named.join(', ');
	const text = {
		everything: 'everything on the LAN',
		games: `games only${list && `, and ${list}`}`,
		only: list || 'nothing on the LAN',
	}[kind];
	return { kind, named, text };
}

/** The same for the wire. */
function reachMeant(kind, text) {
	const named = text.split(/[\s,;]+/).filter(Boolean);
	return kind === 'games' ? { games: { also: named } } : kind === 'only' ? { only: { allowed: named } } : 'everything';
}

/** The line of a minute's round trips in a picture of 59 by 20; a gap where nothing is known. */
function sparkline(pings) {
	const top = Math.max(100_000, ...pings);
	let pen = 'M';
	let path = '';
	pings.slice(-60).forEach((us, index, all) => {
		if (!us) {
			pen = 'M';
			return;
		}
		path += `${pen}${60 - all.length + index} ${(19 - (us / top) * 18).toFixed(1)}`;
		pen = 'L';
	});
	return path;
}

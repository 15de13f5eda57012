// Draws snapshots: in place, so that focus, selection, open menus and the scroll position stay. Text only, never markup.
'use strict';

/** What has an id in this page; the hall's has less than the host's, and what is not there is not drawn. */
const by = (id) => document.getElementById(id);

/** Sets a text where it is another one. */
function put(node, text) {
	if (!node) return;
	const said = plain(text);
	const own = node.firstChild;
	if (!own) node.append(said);
	else if (own.data !== said) own.data = said;
}

function show(node, is) {
	if (node && node.hidden === Boolean(is)) node.hidden = !is;
}

function mark(node, name, value) {
	if (node && node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** A text with its quality, which has a shape and a colour. */
function judge(node, said) {
	put(node, said.text);
	mark(node, 'data-q', said.q);
}

/** A state: the pill's quality and its word. */
function state(pill, word, said) {
	mark(by(pill), 'data-q', said.q);
	put(by(word), said.text);
}

/**
 * Keeps a list's children as `items` are: one of the template `t-…` each, known by `key`, filled by `fill(parts, item)`.
 * Who stays is not moved without need: moving takes the focus away.
 */
function list(id, template, items, key, fill) {
	const body = by(id);
	const mould = by(template);
	if (!body || !mould) return;
	body.drawn ??= new Map();
	const wanted = new Map(items.map((item) => [key(item), item]));
	for (const [name, row] of body.drawn) {
		if (wanted.has(name)) continue;
		const had = row.self.contains(document.activeElement);
		row.self.remove();
		body.drawn.delete(name);
		if (had) (by('players') || document.body).focus();
	}
	let at = body.firstElementChild;
	for (const [name, item] of wanted) {
		let row = body.drawn.get(name);
		if (!row) {
			const self = mould.content.firstElementChild.cloneNode(true);
			row = { self };
			for (const part of self.querySelectorAll('[data-f]')) row[part.dataset.f] = part;
			if (self.dataset.f) row[self.dataset.f] = self;
			body.drawn.set(name, row);
		}
		row.self.item = item;
		fill(row, item);
		if (row.self === at) {
			at = at.nextElementSibling;
		} else if (at && at.nextElementSibling === row.self) {
			// The one in between goes down the list.
			body.append(at);
			at = row.self.nextElementSibling;
		} else {
			const focused = row.self.contains(document.activeElement) ? document.activeElement : null;
			body.insertBefore(row.self, at);
			focused?.focus({ preventScroll: true });
		}
	}
}

/** The snapshot that is shown. */
let now = null;
let program = null;

const callOf = (player) => player.name || player.mac;
const playerOf = (mac) => now?.players.find((player) => player.mac === mac);

function draw(snapshot) {
	program ??= snapshot.program;
	if (program !== snapshot.program && !document.querySelector('dialog[open]')) {
		location.reload();
		return;
	}
	for (const part of ['players', 'bans', 'games', 'leases', 'attempts', 'warnings', 'events']) snapshot[part] ??= [];
	now = snapshot;
	document.body.classList.remove('waiting');
	drawHead(snapshot);
	drawWarnings(snapshot.warnings);
	drawAttempts(snapshot.attempts);
	drawPlayers(snapshot);
	drawBans(snapshot.bans);
	drawGames(snapshot.games);
	drawLeases(snapshot.leases);
	drawConnections(snapshot);
	drawEvents(snapshot.events);
	document.dispatchEvent(new Event('drawn'));
}

function drawHead({ party, link, lan, seconds, program: version, locked, isolated, warnings }) {
	const name = party.name || party.room || 'LAN party';
	put(by('name'), name);
	const troubles = warnings.length ? `(${warnings.length}) ` : '';
	const title = `${troubles}${plain(name)} · LAN party`;
	if (document.title !== title) document.title = title;
	const said = LINKS[link?.state] || { text: 'Not known', q: 'wait' };
	const whole = said.q === 'good' && lan && !lan.up ? { text: 'No LAN', q: 'bad' } : said;
	state('state', 'state-word', whole.q === 'good' ? { text: 'The party is on', q: 'good' } : whole);
	const facts = [
		party.name && `Room ${party.room}`,
		party.keyed === false ? 'open to whoever knows the room' : 'by invite',
		seconds != null && `running for ${span(seconds)}`,
		version && `version ${version}`,
	];
	put(by('facts'), facts.filter(Boolean).join(' · '));
	show(by('locked'), locked);
	show(by('isolated'), isolated);
	put(by('lock'), locked ? 'Unlock the party' : 'Lock the party');
	put(by('isolate'), isolated ? 'Bring players together' : 'Keep players apart');
}

function drawWarnings(warnings) {
	const order = ['bad', 'doubtful', 'note'];
	const sorted = [...warnings].sort((a, b) => order.indexOf(a.mark) - order.indexOf(b.mark));
	put(by('warning-count'), warnings.length || '');
	show(by('warning-list'), warnings.length);
	show(by('well'), !warnings.length);
	list('warning-list', 't-warning', sorted, numbered((warning) => warning.id), (row, warning) => {
		const said = MARKS[warning.mark] || MARKS.note;
		mark(row.self, 'data-q', said.q);
		put(row.word, said.text);
		put(row.sentence, warning.sentence);
	});
}

/** Keys that differ even where two have the same name. */
function numbered(key) {
	const seen = new Map();
	return (item) => {
		const name = key(item);
		const times = (seen.get(name) || 0) + 1;
		seen.set(name, times);
		return `${name}#${times}`;
	};
}

function drawAttempts(attempts) {
	show(by('attempts'), attempts.length);
	const key = (attempt) => [attempt.mac, attempt.protocol, attempt.address, attempt.port].join();
	list('attempt-list', 't-attempt', attempts, key, (row, attempt) => {
		const name = playerOf(attempt.mac)?.name || attempt.name || attempt.mac;
		const address = attempt.address.includes(':') && attempt.port != null ? `[${attempt.address}]` : attempt.address;
		const where = attempt.port == null ? address : `${address}:${attempt.port}`;
		put(row.name, name);
		put(row.where, where);
		put(row.what, attempt.what ? `(${attempt.what})` : '');
		put(row.more, `${attempt.protocol.toUpperCase()} · ${count(attempt.frames, 'frame', 'frames')} · ${span(attempt.seconds)} ago`);
		mark(row.allow, 'aria-label', plain(`Allow ${attempt.allow} for everybody`));
		mark(row.allow, 'title', plain(`Everybody may reach ${attempt.allow} then`));
	});
}

function drawPlayers({ players, rates }) {
	put(by('player-count'), players.length || '');
	show(by('player-table'), players.length);
	show(by('no-players'), !players.length);
	show(by('traffic'), players.length && rates);
	if (rates) put(by('traffic'), `All together: ${rate(rates.to_lan)} to the LAN, ${rate(rates.from_lan)} from it`);
	const key = players.every((player) => player.mac) ? (player) => player.mac : numbered((player) => player.name);
	list('player-list', 't-player', players, key, fillPlayer);
	const why = detours(players);
	show(by('detours'), why.length);
	list('detour-list', 't-detour', why, (detour) => detour.sentence, (row, detour) => {
		put(row.who, detour.who);
		put(row.sentence, detour.sentence);
	});
}

function fillPlayer(row, player) {
	put(row.name, player.name || 'without a name');
	put(row.mac, player.mac);
	show(row.muted, player.muted);
	show(row.ownReach, player.reach);
	if (player.reach) put(row.ownReach, `may reach ${reachSaid(player.reach).text}`);
	show(row.alias, player.own_name);
	put(row.ownName, player.own_name);
	const [first, ...more] = player.addresses || [];
	put(row.address, first ? [first, ...more].join(' ') : 'no address yet');
	put(row.way, waySaid(player));
	const ping = pingSaid(player.ping_us);
	judge(row.ping, ping);
	if (row.spark) mark(row.spark, 'd', sparkline(player.pings_us || []) || 'M0 0');
	judge(row.loss, lossSaid(player.loss_permille));
	const dropped = player.dropped ? `${player.dropped.toLocaleString('en')} dropped` : '';
	put(row.dropped, dropped && player.dropped_why ? `${dropped}: ${player.dropped_why}` : dropped);
	put(row.sends, `↑ ${rate(player.rates?.to_lan)}`);
	put(row.receives, `↓ ${rate(player.rates?.from_lan)}`);
	put(row.since, span(player.seconds));
	mark(row.menu, 'aria-label', plain(`Actions for ${callOf(player)}`));
	put(row.mute, player.muted ? 'Unmute' : 'Mute');
}

function drawBans(bans) {
	show(by('bans'), bans.length);
	list('ban-list', 't-ban', bans, banned, (row, ban) => {
		put(row.name, ban.name || ban.mac || 'Somebody');
		put(row.who, ban.who?.identity ? `key ${ban.who.identity.slice(0, 12)}…` : ban.mac || ban.who?.mac);
		mark(row.unban, 'aria-label', plain(`Let in again: ${ban.name || ban.mac || 'this player'}`));
	});
}

/** By what a banned one is named in an order. */
const banned = (ban) => ban.who?.identity || ban.who?.mac || ban.mac || ban.name;

function drawGames(games) {
	put(by('game-count'), games.length || '');
	show(by('no-games'), !games.length);
	list('game-list', 't-game', games, numbered((game) => `${game.game}|${game.address}`), (row, game) => {
		put(row.game, game.game);
		put(row.server, game.server);
		put(row.address, game.address);
		const player = game.host?.player;
		put(row.host, player ? `at ${player}` : game.host ? 'on the LAN' : '');
		const full = game.max_players != null ? `${game.players ?? '?'} of ${game.max_players} playing` : count(game.players ?? 0, 'player', 'players');
		const old = game.heard_ms >= 10_000;
		const more = [game.map, (game.players ?? game.max_players) != null && full, old && `heard ${span(game.heard_ms / 1000)} ago`];
		const said = more.filter(Boolean).join(' · ');
		// In the hall nothing stands before it.
		put(row.more, said && row.address ? `· ${said}` : said);
		row.self.classList.toggle('old', old);
	});
}

function drawLeases(leases) {
	show(by('no-leases'), !leases.length);
	list('lease-list', 't-lease', leases, (lease) => `${lease.mac} ${lease.address}`, (row, lease) => {
		put(row.address, lease.address);
		put(row.name, playerOf(lease.mac)?.name || lease.mac);
		put(row.more, `from ${lease.server} · ${lease.seconds == null ? 'without an end' : `for ${span(lease.seconds)} more`}`);
	});
}

function drawConnections({ link, lan, port }) {
	if (link) {
		const said = LINKS[link.state] || { text: 'Not known', q: 'wait' };
		state('link', 'link-word', said);
		put(by('relay'), link.relay);
		const ping = link.ping_us == null ? '' : `ping ${pingSaid(link.ping_us).text}, `;
		const loss = link.loss_permille == null ? '' : `loss ${lossSaid(link.loss_permille).text}, `;
		put(by('link-figures'), `${ping}${loss}for ${span(link.seconds)}`);
		put(by('link-sentence'), link.sentence);
		show(by('link-sentence'), said.q !== 'good');
		drawRelays(link);
	}
	show(by('port'), port);
	if (port) {
		state('port-state', 'port-word', PORTS[port.state] || PORTS.unknown);
		put(by('port-number'), `UDP port ${port.listens}`);
		put(by('port-sentence'), port.sentence);
		list('port-list', 't-line', port.addresses || [], (address) => address, (row, address) => put(row.text, address));
	}
	if (lan) {
		state('lan', 'lan-word', lan.up ? { text: 'Up', q: 'good' } : { text: 'Down', q: 'bad' });
		put(by('interface'), lan.interface);
		const with_us = lan.with_this_machine ? 'This machine takes part as well.' : '';
		put(by('lan-sentence'), lan.trouble || with_us);
		show(by('lan-sentence'), lan.trouble || with_us);
	}
}

/** Where the party may be. */
function drawRelays({ relays = [], moves, asked_s }) {
	show(by('relays'), relays.length);
	const others = relays.filter((relay) => !relay.here);
	const nowhere = others.every((relay) => relay.trouble);
	const waits = others.length < relays.length ? 'No other one could take the party now: if this one fails, the party waits.' : 'None of them could take the party now; it goes on as soon as one can.';
	put(by('relay-rest'), nowhere ? waits : 'When one fails, the party goes on at another by itself.');
	const moved = moves === 1 ? 'It has moved once.' : moves ? `It has moved ${moves} times.` : '';
	put(by('relay-moves'), [moved, asked_s >= 60 && `They were asked up to ${span(asked_s)} ago.`].filter(Boolean).join(' '));
	list('relay-list', 't-relay', relays, (relay) => relay.address, (row, relay) => {
		put(row.address, relay.address);
		put(row.region, relay.region);
		const is = relays.some((it) => it.here && it.address === relay.leads_to) ? ', where the party is' : '';
		const lead = relay.leads_to && `leads to ${relay.leads_to}${is}`;
		const said = relay.here ? 'The party is here' : relay.trouble || lead;
		judge(row.state, { text: said, q: relay.here ? 'good' : relay.trouble ? 'slow' : 'none' });
		show(row.state, said);
		const unknown = said ? '' : 'not asked yet';
		put(row.ping, relay.ping_us == null ? unknown : `ping ${pingSaid(relay.ping_us).text}`);
		show(row.move, !relay.here && !lead);
		mark(row.move, 'aria-label', plain(`Go there…: ${relay.address}`));
	});
}

const clock = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

function drawEvents(events) {
	show(by('no-events'), !events.length);
	show(by('event-list'), events.length);
	list('event-list', 't-event', events.slice(0, 300), (event) => event.number, (row, event) => {
		const at = new Date(event.at * 1000);
		const said = MARKS[event.mark] || MARKS.note;
		mark(row.self, 'data-q', said.q);
		put(row.at, clock.format(at));
		mark(row.at, 'datetime', at.toISOString());
		put(row.word, said.q === 'note' ? '' : `${said.text} `);
		put(row.sentence, event.sentence);
	});
}

const TROUBLES = {
	stranger: 'Open the link that the gateway prints: this page shows nothing without it. `lanparty-gateway ctl page` on the gateway\'s machine prints it again.',
	wrong: 'This link is not the party page\'s, or not any more. Open the one that `lanparty-gateway ctl page` prints.',
	ended: 'The gateway does not know this page any more, perhaps since it was started anew. Open the link that `lanparty-gateway ctl page` prints.',
};
const HALL = 'The gateway shows this page to nobody now.';

/** Says what is wrong with the line; what is drawn stays, in grey. */
function drawTrouble(trouble) {
	const classes = document.body.classList;
	if (trouble && document.body.dataset.trouble === trouble) return;
	document.body.dataset.trouble = trouble || '';
	classes.toggle('lost', Boolean(trouble));
	let text = TROUBLES[trouble] || '';
	if (text && classes.contains('hall')) text = HALL;
	if (trouble === 'lost') {
		text = now ? `Connection lost, trying again. What you see is from ${new Date().toLocaleTimeString('en', { hourCycle: 'h23' })}.` : 'The gateway does not answer, trying again.';
	}
	put(by('banner'), text);
	show(by('banner'), text);
	if (trouble) {
		state('state', 'state-word', trouble === 'lost' ? { text: 'Connection lost', q: 'bad' } : { text: 'No session', q: 'bad' });
	}
}

line.onSnapshot = draw;
line.onTrouble = drawTrouble;
watch();

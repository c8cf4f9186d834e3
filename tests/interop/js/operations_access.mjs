// The operations of vectors/README.md of access and session, for the conformance testee (SPEC appendix B): JSON in,
// JSON out. Nothing of the protocol is here, only the names and forms of the vectors.

import { fromHex, toHex } from './bytes.mjs';
import { checkKitProof, deviceFingerprint, kitKeys, kitProof, makeCode, parseCode, statePhrase } from './access.mjs';
import { SealingKey } from './crypto.mjs';
import { decode } from './encoding.mjs';
import { decodeFrame } from './frames.mjs';
import { lateWrites, movedContact, movedWord } from './moves.mjs';
import { Joiner, Sponsor, commitmentOf, sealMessage, wordsOf } from './pairing.mjs';
import { openRescue, sealRescue } from './rescue.mjs';
import { ClientSession, RelaySession } from './session.mjs';
import { parseState } from './state.mjs';
import { fromJson, toJson } from './values.mjs';
import { seedOfWords, wordsOfSeed } from './words.mjs';

const inText = (words) => ({ text: Array.isArray(words) ? words.join(' ') : words });
const codeOf = (input, purpose) => ({ mailboxId: fromHex(input.mailbox_id), secret: fromHex(input.secret), purpose });

function parsedCode(input) {
  const { mailboxId, secret, purpose, relayUrl } = parseCode(input.code.text);
  const output = { mailbox_id: toHex(mailboxId), secret: toHex(secret), purpose };
  return relayUrl === undefined ? output : { ...output, relay_url: { text: relayUrl } };
}

function halves(input) {
  const keys = kitKeys(fromHex(input.seed), input.number);
  return { keys, output: { verify_key: toHex(keys.verifyKey), sealing_key: toHex(keys.sealingKey.public) } };
}

function kitHalf(input) {
  const { keys, output } = halves(input);
  return { ...output, proof: toHex(kitProof(keys)) };
}

function transcript(input) {
  const [body0, body1, body2] = input.bodies.map(fromHex);
  const [nonce, claims] = decode(body2);
  return { commitment: toHex(commitmentOf(nonce, claims)), words: inText(wordsOf(body0, body1, nonce)) };
}

/** `access::sponsor` and `access::host`. */
function sponsor(purpose) {
  return (input) => {
    const machine = new Sponsor(codeOf(input, purpose), decode(fromHex(input.body_1)));
    for (const { n, message } of input.messages) machine.receive(n, fromHex(message));
    const { verifyKey, sealingKey, possession, deviceName, guest, kit } = machine.confirm(input.words.text);
    const output = { verify_key: toHex(verifyKey), sealing_key: toHex(sealingKey), possession: toHex(possession) };
    output.device_name = { text: deviceName };
    return guest === undefined ? output : { ...output, guest: { text: guest }, kit: kit.map(toHex) };
  };
}

/** `access::joiner` and `access::guest`. */
function joiner(purpose) {
  return (input) => {
    const machine = new Joiner(codeOf(input, purpose), {
      signingSeed: fromHex(input.signing_seed),
      sealingKey: new SealingKey(fromHex(input.sealing_secret)),
      nonce: fromHex(input.nonce),
      deviceName: input.device_name.text,
      guest: input.guest?.text,
      kit: input.kit?.map(fromHex),
    });
    for (const { n, message } of input.messages) machine.receive(n, fromHex(message));
    return { bodies_sent: [machine.body0, machine.body2].map(toHex), words: inText(machine.words) };
  };
}

function sealedRescue({ set_id, header: [member, epoch, time], verify_key, sealing_key, contents }, entropy) {
  const header = { setId: fromHex(set_id), member, epoch, time, verifyKey: fromHex(verify_key) };
  return { file: toHex(sealRescue(header, fromHex(sealing_key), contents.map(fromJson), entropy)) };
}

function openedRescue({ seed, file }) {
  const { setId, member, epoch, time, verifyKey, contents } = openRescue(fromHex(seed), fromHex(file));
  const header = [member, epoch, time];
  return { set_id: toHex(setId), header, verify_key: toHex(verifyKey), contents: contents.map(toJson) };
}

// ------------------------------------------------------------------------------------------------------------- session

const fixed = (nonce) => ({ draw: () => fromHex(nonce) });

function eventOf({ kind, message, head, epoch, deletion, code, data }) {
  if (kind === 'CHALLENGED') return [kind, toHex(message[2])];
  if (kind === 'CONNECTED') return head ? [kind, head.epoch, head.seq, toHex(head.logHash)] : [kind];
  if (kind === 'REMOVED') return [kind, epoch];
  if (kind === 'DELETED') return [kind, toHex(deletion)];
  if (kind === 'REFUSED') return [kind, { text: code }, data];
  return [kind, kind === 'CLOSING' ? message[1] : message[0]];
}

function client(input) {
  const session = new ClientSession({
    setId: fromHex(input.set_id),
    member: input.member,
    signingSeed: fromHex(input.signing_seed),
    relayKey: fromHex(input.expected_relay_key),
  });
  const steps = {
    HELLO: () => session.hello(fixed(input.nonce)),
    PROOF: () => session.proof(),
    REQUEST: (frame) => session.request(fromHex(frame)),
  };
  const sent = [];
  const events = [];
  for (const [step, frame] of input.steps) {
    if (step === 'RECEIVE') events.push(eventOf(session.receive(fromHex(frame))));
    else sent.push(toHex(steps[step](frame)));
  }
  return { sent, events, unanswered: session.awaited.length };
}

function relay(input) {
  const [setId, members, removed, epoch, seq, logHash, recordHash, time, incarnation, deletion] = input.set;
  const keys = new Map(members.map(([member, key]) => [member, fromHex(key)]));
  const head = { epoch, seq, logHash: fromHex(logHash), recordHash: fromHex(recordHash), time, incarnation };
  const set = { setId: fromHex(setId), members: keys, removed: new Map(removed), deletion: fromHex(deletion), ...head };
  const session = new RelaySession({ relaySeed: fromHex(input.relay_seed), set });
  const replies = input.frames.map((frame) => session.receive(fromHex(frame), fixed(input.nonce)));
  const shown = replies.filter((reply) => reply !== undefined);
  return {
    replies: shown.map((reply) => (reply.refused ? ['REFUSED', { text: reply.refused }] : toHex(reply))),
    closed: session.closed,
    asked_of_store: session.asked,
  };
}

function movedContactOf(input) {
  const known = new Map(input.media.map(([digest, content]) => [digest.text, fromHex(content)]));
  const [contact, registers] = movedContact(fromHex(input.contact), fromJson(input.registers), {
    from: fromHex(input.old_set), to: fromHex(input.new_set), media: (digest) => known.get(digest),
  });
  return { contact: toHex(contact), registers: toJson(registers) };
}

function movedWordOf({ moved }) {
  const word = movedWord(fromJson(moved));
  if (!word) return { word: [] };
  const { set, relay, key, record, member, epoch, vector } = word;
  return { word: [toHex(set), { text: relay }, toHex(key), toHex(record), member, epoch, [...vector]] };
}

function lateWritesOf({ state, moved }) {
  const { removed, paths } = lateWrites(parseState(fromHex(state)), movedWord(fromJson(moved)));
  return { removed, paths: paths.map((path) => ({ text: path })) };
}

/** `layer::operation` → function(inputs, entropy) → outputs. */
export const operations = new Map([
  ['access::code_text', (input, entropy) => {
    const made = makeCode({ relayUrl: input.relay_url?.text, purpose: input.purpose }, entropy);
    return { code: { text: made.text } };
  }],
  ['access::parse_code', parsedCode],
  ['access::entropy_to_words', (input) => ({ words: inText(wordsOfSeed(fromHex(input.entropy))) })],
  ['access::words_to_entropy', (input) => ({ entropy: toHex(seedOfWords(input.words.text)) })],
  ['access::kit_keys', (input) => halves(input).output],
  ['access::kit_half', kitHalf],
  ['access::check_kit_proof', (input) => {
    checkKitProof(fromHex(input.verify_key), fromHex(input.sealing_key), fromHex(input.proof));
    return {};
  }],
  ['access::device_fingerprint', (input) => ({
    words: inText(deviceFingerprint(fromHex(input.set_id), fromHex(input.verify_key))),
  })],
  ['access::state_phrase', (input) => {
    const state = [fromHex(input.set_id), fromHex(input.record_hash), fromHex(input.state_digest)];
    return { words: inText(statePhrase(...state, input.vector)) };
  }],
  ['access::seal_message', (input, entropy) => ({
    message: toHex(sealMessage(codeOf(input, 'PAIRING'), input.n, fromHex(input.body), entropy)),
  })],
  ['access::transcript', transcript],
  ['access::sponsor', sponsor('PAIRING')],
  ['access::joiner', joiner('PAIRING')],
  ['access::host', sponsor('INVITATION')],
  ['access::seal_rescue', sealedRescue],
  ['access::open_rescue', openedRescue],
  ['access::guest', joiner('INVITATION')],
  ['access::moved_contact', movedContactOf],
  ['access::moved_word', movedWordOf],
  ['access::late_writes', lateWritesOf],
  ['session::decode', (input) => ({ message: toJson(decodeFrame(input.side, fromHex(input.frame))) })],
  ['session::client', client],
  ['session::relay', relay],
]);

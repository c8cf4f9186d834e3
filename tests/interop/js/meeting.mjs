// SPEC 12.2, 12.6: how a device comes into a set: paired by another one, or by the recovery kit. The conversation is
// that of pairing.mjs; here is what goes around it.

import { ZERO32, concat, sameBytes } from './bytes.mjs';
import { kitKeys, makeCode, parseCode } from './access.mjs';
import { Connection } from './connection.mjs';
import { SealingKey, sign, systemEntropy as entropy, verifyKeyOf } from './crypto.mjs';
import { Device } from './device.mjs';
import { Refusal, must } from './errors.mjs';
import { openEpoch } from './opening.mjs';
import { Joiner, Sponsor } from './pairing.mjs';
import { arrive, readLog } from './reading.mjs';
import { ADD, OWNER, REMOVE, ROOT, parseRecord, possession, setIdOf } from './records.mjs';
import { Replica } from './replica.mjs';
import { system } from './surroundings.mjs';

/** How long the other side may take, in milliseconds: less than a runner waits for an answer. */
const PATIENCE = 25_000;
const [JOINS, SPONSORS] = [0, 1];
const aborted = (condition, message) => must(condition, 'PairingAborted', message);

/** A mailbox is somebody else's, or over: the attempt is, too. */
async function inMailbox(work) {
  try {
    return await work();
  } catch (error) {
    const over = ['MailboxTaken', 'MailboxFull', 'NotFound'].includes(error.reason);
    if (over) throw new Refusal('PairingAborted', 'this code was used already, or has expired');
    throw error;
  }
}

async function takeSide(connection, code, side) {
  await inMailbox(() => connection.ask('MAILBOX', code.mailboxId, side, entropy.draw('mailbox token', 16)));
}

/** The other side's next message that is none of the repeats which its machine has heard (SPEC 13.7). */
async function hear(mailbox, machine, patience) {
  for (;;) {
    const mail = await mailbox.mail(patience);
    if (!machine.hasHeard(...mail)) return mail;
  }
}

// --------------------------------------------------------------------------------------------------------- the sponsor

/** One attempt to pair, on the side of a device that is in. */
export class Sponsoring {
  /** The code to show; the conversation goes on by itself up to the words. */
  static async begin(device) {
    await device.sync();
    const { replica } = device;
    const { setId, chain, self } = replica;
    const code = makeCode({ relayUrl: replica.relayUrl }, entropy);
    const newest = [chain.relayKey, chain.recordHash, chain.epoch];
    const offer = [entropy.draw('pairing nonce', 32), setId, self.person, self.role, ...newest];
    const pairing = new Sponsoring();
    Object.assign(pairing, { device, code: code.text, machine: new Sponsor(code, offer) });
    pairing.mailbox = await Connection.visit(replica.relayUrl, chain.relayKey);
    await takeSide(pairing.mailbox, code, SPONSORS);
    pairing.talk = pairing.#talk();
    pairing.talk.catch(() => {}); // Told to whoever confirms.
    return pairing;
  }

  async #talk() {
    const [first, opening] = await hear(this.mailbox, this.machine, 300_000);
    await inMailbox(() => this.mailbox.ask('MAIL', 1, this.machine.receive(first, opening, entropy)));
    this.machine.receive(...(await hear(this.mailbox, this.machine, 300_000)), entropy);
  }

  /** The newcomer's index, once it is added and told (SPEC 12.2 step 2). */
  async confirm(words) {
    try {
      await this.talk;
      const newcomer = this.machine.confirm(words);
      const index = await this.#add(newcomer);
      const { chain, position, logHash } = this.device.replica;
      const landing = this.machine.landing(chain.recordHash, chain.epoch, position, logHash, index, entropy);
      await this.mailbox.ask('MAIL', 3, landing);
      await this.device.sync();
      return index;
    } catch (error) {
      // Step 4: one zero byte, which opens for nobody, so that the other side need not wait.
      if (!this.mailbox.failure) await this.mailbox.ask('MAIL', 3, Uint8Array.of(0)).catch(() => {});
      throw error;
    } finally {
      this.mailbox.close();
    }
  }

  async #add({ verifyKey, sealingKey, possession: proof }) {
    const { device } = this;
    const { person, role } = device.replica.self;
    const memberOf = (chain) => [...chain.members.values()].find((member) => sameBytes(member.verifyKey, verifyKey));
    await device.withRelay(async (connection) => {
      await device.catchUp(connection);
      const add = [ADD, person, role, verifyKey, sealingKey, proof];
      await device.open(connection, ({ chain }) => (memberOf(chain) ? undefined : [add]));
      await device.read(connection);
    });
    return memberOf(device.replica.chain).index;
  }
}

// ---------------------------------------------------------------------------------------------------------- the joiner

/** One attempt to join, on the side of the new device. */
export class Joining {
  /** The words to show. */
  static async begin(codeText, name) {
    const code = parseCode(codeText);
    const fits = code.relayUrl !== undefined && code.purpose === 'PAIRING';
    must(fits, 'BadCode', 'a pairing code with its relay was expected');
    const joining = new Joining();
    const keys = { signingSeed: entropy.draw('signing key', 32), sealingKey: SealingKey.generate(entropy) };
    const machine = new Joiner(code, { ...keys, nonce: entropy.draw('pairing nonce', 32), deviceName: name });
    Object.assign(joining, { code, name, machine, ...keys, mailbox: await Connection.visit(code.relayUrl) });
    try {
      await takeSide(joining.mailbox, code, JOINS);
      await inMailbox(() => joining.mailbox.ask('MAIL', 0, machine.start(entropy)));
      const claims = machine.receive(...(await hear(joining.mailbox, machine, PATIENCE)), entropy);
      // The relay that the sponsor names is the one that is spoken to: nobody stands in between.
      const same = sameBytes(machine.offer.relayKey, joining.mailbox.relayKey);
      aborted(same, 'another relay than the one that the other device uses');
      await inMailbox(() => joining.mailbox.ask('MAIL', 2, claims));
    } catch (error) {
      joining.mailbox.close();
      throw error;
    }
    joining.words = machine.words;
    return joining;
  }

  /** The device, once the sponsor has added it. */
  async finish() {
    try {
      this.machine.receive(...(await hear(this.mailbox, this.machine, PATIENCE)), entropy);
    } finally {
      this.mailbox.close();
    }
    const { setId, relayKey } = this.machine.offer;
    const { signingSeed, sealingKey, name, code, machine } = this;
    const place = { setId, member: machine.landing.index, relayUrl: code.relayUrl, relayKey };
    return land({ ...place, signingSeed, sealingKey, name }, {
      checkChain: (chain, records) => this.#checkChain(chain, records),
      checkLog: (replica) => this.#checkLog(replica),
    });
  }

  /** SPEC 12.2 step 3. */
  #checkChain(chain, records) {
    const { offer, landing } = this.machine;
    const hashAt = (epoch) => (records[epoch] ? parseRecord(records[epoch]).hash : ZERO32);
    aborted(sameBytes(hashAt(offer.epoch), offer.recordHash), 'the chain lacks the record of the offer');
    aborted(sameBytes(hashAt(landing.epoch), landing.recordHash), 'the chain lacks the record that adds this device');
    const own = chain.members.get(landing.index);
    aborted(own && sameBytes(own.verifyKey, verifyKeyOf(this.signingSeed)), 'the record adds another device');
  }

  /** The log contains the head, where the epoch is still the one of the landing. */
  #checkLog({ epoch, position, hashes }) {
    const { landing } = this.machine;
    if (epoch !== landing.epoch) return;
    const contains = landing.seq <= position && sameBytes(hashes[landing.seq], landing.logHash);
    aborted(contains, 'the log lacks the head that the other device sees');
  }
}

/** A new device arrives: keys of its own, number 1, and a name in the set's own object. */
async function land(place, { checkChain, checkLog = () => {} }) {
  const { setId, member, signingSeed, sealingKey, relayUrl, relayKey, name } = place;
  const replica = new Replica({ setId, member, signingSeed, relayUrl });
  replica.sealing.set(1, sealingKey);
  try {
    const connection = await Connection.member(relayUrl, { setId, member, signingSeed }, relayKey);
    try {
      await arrive(replica, connection, checkChain);
      checkLog(replica);
    } finally {
      connection.close();
    }
  } catch (error) {
    const lies = ['ChainInvalid', 'NotMember', 'ForkDetected', 'RemoteProtocolError'];
    if (lies.includes(error.reason ?? error.code)) throw new Refusal('PairingAborted', error.message);
    throw error;
  }
  const device = new Device(replica, name);
  device.writeName();
  await device.sync();
  return device;
}

// ------------------------------------------------------------------------------------------------- recovery, SPEC 12.6

/** A new device by the kit's seed, which removes these members. */
export async function recover(relayUrl, seed, name, remove) {
  const kit = kitKeys(seed, 0);
  const { connection, setId, member } = await connectKit(relayUrl, kit);
  const replica = new Replica({ setId, member, signingSeed: kit.signingSeed, relayUrl });
  replica.sealing.set(0, kit.sealingKey);
  const keys = { signingSeed: entropy.draw('signing key', 32), sealingKey: SealingKey.generate(entropy) };
  try {
    await arrive(replica, connection);
    await openAsKit(replica, connection, keys, remove);
  } finally {
    connection.close();
  }
  const { chain } = replica;
  const added = verifyKeyOf(keys.signingSeed);
  const own = [...chain.members.values()].find((member) => sameBytes(member.verifyKey, added));
  const checkChain = (_, records) => {
    const recorded = records[chain.epoch] && sameBytes(parseRecord(records[chain.epoch]).hash, chain.recordHash);
    aborted(recorded, 'the chain lacks the record that the kit has signed');
  };
  return land({ setId, member: own.index, relayUrl, relayKey: chain.relayKey, name, ...keys }, { checkChain });
}

/** Step 1: as member 0, or where the relay finds the key now (SPEC 13.10). */
async function connectKit(relayUrl, kit) {
  const setId = setIdOf(kit.verifyKey);
  const identity = { setId, member: 0, signingSeed: kit.signingSeed };
  try {
    const connection = await Connection.member(relayUrl, identity, new Uint8Array(0));
    if (connection.welcome.kind !== 'REMOVED') return { connection, setId, member: 0 };
    connection.close();
  } catch (error) {
    if (error.reason !== 'NotMember') throw error;
  }
  const found = await find(relayUrl, kit);
  must(found.length > 0, 'DeviceRemoved', 'the relay knows no set of this kit');
  const [[foundSet, member]] = found;
  const now = { setId: foundSet, member, signingSeed: kit.signingSeed };
  const connection = await Connection.member(relayUrl, now, new Uint8Array(0));
  return { connection, setId: foundSet, member };
}

async function find(relayUrl, kit) {
  const visitor = await Connection.visit(relayUrl);
  try {
    const asked = concat(kit.verifyKey, visitor.session.binding);
    const [found] = await visitor.ask('FIND', kit.verifyKey, sign(kit.signingSeed, 'SIGN_FIND', ZERO32, asked));
    return found;
  } finally {
    visitor.close();
  }
}

/** Step 3: the epoch that adds the device and removes others, with the kit's person. */
async function openAsKit(replica, connection, { signingSeed, sealingKey }, remove) {
  const changes = ({ self, chain }) => {
    const role = self.role === ROOT ? OWNER : chain.rankOf(self.person);
    const proof = possession(signingSeed, replica.setId, self.person, role, sealingKey.public);
    const gone = remove.filter((member) => chain.members.has(member)).map((member) => [REMOVE, member]);
    return [[ADD, self.person, role, verifyKeyOf(signingSeed), sealingKey.public, proof], ...gone];
  };
  const kit = new Device(replica, 'kit');
  await kit.readSlots(connection);
  const catchUp = async () => {
    await readLog(replica, connection);
    await kit.readSlots(connection);
  };
  await openEpoch(replica, connection, { changes, catchUp, surroundings: system });
}

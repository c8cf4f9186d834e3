// SPEC 5: suite 1. The only module that knows the libraries. Randomness is always an argument: an object with
// `draw(name, length)`, whose names are those of SPEC 5.8.

import sodium from 'libsodium-wrappers-sumo';
import { blake2b } from '@noble/hashes/blake2.js';
import { ml_kem768 as kem } from '@noble/post-quantum/ml-kem.js';
import { randomBytes } from 'node:crypto';
import { Refusal, must } from './errors.mjs';
import { concat, utf8 } from './bytes.mjs';

await sodium.ready;

/** SPEC 5.2: label → personalization. */
export const LABELS = {
  SET_ID: 'e2e set id',
  RECORD: 'e2e record',
  BOX: 'e2e box',
  BOX_LIST: 'e2e box list',
  BLOB: 'e2e blob',
  ENVELOPE: 'e2e envelope',
  LOG: 'e2e log',
  OPERATIONS: 'e2e operations',
  ENTRY: 'e2e entry',
  CONTACT_HASH: 'e2e contact',
  DIGEST: 'e2e digest',
  TRANSCRIPT: 'e2e transcript',
  FINGERPRINT: 'e2e fingerprint',
  STATE_PHRASE: 'e2e phrase',
  EVIDENCE: 'e2e evidence',
  CONTACT_ID: 'e2e contact id',
  AEAD: 'e2e aead',
  SEALED_BOX: 'e2e sealed box',
  EPOCH_KEY: 'e2e epoch key',
  EPOCH_COMMIT: 'e2e epoch commit',
  KIT_SIGNING: 'e2e kit sign',
  KIT_SEALING: 'e2e kit seal',
  PAIRING_KEY: 'e2e pairing key',
  PAIRING_COMMIT: 'e2e pair commit',
  SAS: 'e2e words',
  CODE_CHECK: 'e2e code check',
  PROFILE_KEY: 'e2e profile key',
  SIGN_RECORD: 'e2e:record',
  SIGN_POSSESSION: 'e2e:possession',
  SIGN_ANNOUNCEMENT: 'e2e:announce',
  SIGN_HEARTBEAT: 'e2e:heartbeat',
  SIGN_ENTRY: 'e2e:entry',
  SIGN_HEAD: 'e2e:head',
  SIGN_SESSION: 'e2e:session',
  SIGN_FIND: 'e2e:find',
  SIGN_DELETION: 'e2e:delete',
};

export const SEAL_PUBLIC = 1216;
export const SEAL_SECRET = 96;
export const SEALED_BOX = 1216;
const NONCE = 24;
const COMMITMENT = 32;
const TAG = 16;
const KEM_CIPHERTEXT = 1088;
/** What AE puts around a plaintext: nonce, commitment, tag (SPEC 5.4). */
export const AE_OVERHEAD = NONCE + COMMITMENT + TAG;

/** Draws from the system's generator. */
export const systemEntropy = { draw: (_name, length) => new Uint8Array(randomBytes(length)) };

/** A draw of the length that was asked for. */
function drawn(entropy, name, length) {
  const bytes = entropy.draw(name, length);
  if (bytes.length !== length) throw new TypeError(`the draw "${name}" has ${bytes.length} bytes instead of ${length}`);
  return bytes;
}

/** A key, seed or secret of the length that it has to have. */
function keyOf(bytes, length, what) {
  must(bytes.length === length, 'BadKey', `${what} of ${bytes.length} bytes instead of ${length}`);
  return bytes;
}

/** In constant time, for what is secret or commits to a secret. */
export function equal(a, b) {
  return a.length === b.length && sodium.memcmp(a, b);
}

// ------------------------------------------------------------------------------------------ hash, signatures, 5.2, 5.3

/** The 16 bytes that stand for a label. */
export function personalization(label) {
  const bytes = new Uint8Array(16);
  bytes.set(utf8(LABELS[label]));
  return bytes;
}

/** H(LABEL, message), keyed where a key is given. `size` is 16, 32 or 64. */
export function hash(label, message, { key, size = 32 } = {}) {
  return blake2b(message, { dkLen: size, key, personalization: personalization(label) });
}

/** BLAKE2b with another personalization than a label's (SPEC 7.2). */
export function hashAs(text, message, { key, size }) {
  return blake2b(message, { dkLen: size, key, personalization: utf8(text) });
}

/** The verify key of a signing seed of 32 bytes. */
export function verifyKeyOf(seed) {
  return sodium.crypto_sign_seed_keypair(keyOf(seed, 32, 'a signing seed')).publicKey;
}

function signedBytes(label, setId, message) {
  return concat(personalization(label), setId, hash(label, message));
}

export function sign(seed, label, setId, message) {
  const { privateKey } = sodium.crypto_sign_seed_keypair(keyOf(seed, 32, 'a signing seed'));
  return sodium.crypto_sign_detached(signedBytes(label, setId, message), privateKey);
}

/** Throws AuthFailed unless the signature is the key's, for this purpose, set and message. */
export function verify(verifyKey, label, setId, message, signature) {
  const lengths = verifyKey.length === 32 && signature.length === 64;
  const holds = lengths && sodium.crypto_sign_verify_detached(signature, signedBytes(label, setId, message), verifyKey);
  must(holds, 'AuthFailed', `a signature of ${LABELS[label]} does not verify`);
}

/** SPEC 5.3, at enrolment: the canonical encoding of a point of the prime-order subgroup, or BadKey. */
export function checkVerifyKey(key) {
  const valid = key.length === 32 && sodium.crypto_core_ed25519_is_valid_point(key);
  must(valid, 'BadKey', 'a verify key that is no point of the prime-order subgroup');
}

// --------------------------------------------------------------------------------- key-committing encryption, SPEC 5.4

function committed(key, nonce, context) {
  const both = hash('AEAD', concat(nonce, context), { key, size: 64 });
  return [both.subarray(0, 32), both.subarray(32)];
}

/** AE(key, nonce, context, plaintext); `draw` is the name of the nonce's draw. */
export function seal(key, context, plaintext, entropy, draw) {
  keyOf(key, 32, 'a key');
  const nonce = drawn(entropy, draw, NONCE);
  const [subkey, commitment] = committed(key, nonce, context);
  const cipher = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, context, null, nonce, subkey);
  return concat(nonce, commitment, cipher);
}

export function open(key, context, sealed) {
  keyOf(key, 32, 'a key');
  must(sealed.length >= AE_OVERHEAD, 'AuthFailed', 'a ciphertext shorter than an empty one'); // step 1
  const nonce = sealed.subarray(0, NONCE);
  const [subkey, commitment] = committed(key, nonce, context);
  const claimed = sealed.subarray(NONCE, NONCE + COMMITMENT);
  must(equal(commitment, claimed), 'CommitMismatch', 'a ciphertext that is committed to another key or place'); // step 2
  return openCipher(subkey, nonce, context, sealed.subarray(NONCE + COMMITMENT)); // step 3
}

function openCipher(key, nonce, context, cipher) {
  try {
    return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, cipher, context, nonce, key);
  } catch {
    throw new Refusal('AuthFailed', 'a ciphertext that is not authentic');
  }
}

// --------------------------------------------------------------------------------------- hybrid sealed box, SPEC 5.5

/** A sealing key with its secret: X25519 (32) ‖ d ‖ z of ML-KEM-768 (64). */
export class SealingKey {
  constructor(secret) {
    this.secret = keyOf(secret, SEAL_SECRET, 'a sealing secret');
    this.pair = kem.keygen(secret.slice(32));
    this.public = concat(sodium.crypto_scalarmult_base(secret.subarray(0, 32)), this.pair.publicKey);
  }

  static generate(entropy) {
    const x25519 = drawn(entropy, 'sealing key x25519', 32);
    return new SealingKey(concat(x25519, drawn(entropy, 'sealing key ml-kem', 64)));
  }
}

const FIELD_PRIME = (1n << 255n) - 19n;

/** SPEC 5.5, at enrolment and announcement: both halves of a public sealing key are well-formed, or BadKey. */
export function checkSealPublic(key) {
  keyOf(key, SEAL_PUBLIC, 'a sealing key');
  const x25519 = key.subarray(0, 32);
  const number = BigInt('0x' + Buffer.from(x25519).reverse().toString('hex'));
  must(number < FIELD_PRIME, 'BadKey', 'an X25519 key of 2^255−19 or more');
  must(!isOfSmallOrder(x25519), 'BadKey', 'an X25519 key of small order');
  must(kemCoefficientsFit(key.subarray(32)), 'BadKey', 'an ML-KEM key with a coefficient of 3329 or more');
}

/** A scalar of X25519 is a multiple of 8, so it takes every point of small order to zero, which libsodium refuses. */
function isOfSmallOrder(point) {
  try {
    sodium.crypto_scalarmult(new Uint8Array(32), point);
    return false;
  } catch {
    return true;
  }
}

/** FIPS 203 section 7.2: the 768 coefficients of twelve bits are below q; the 32 bytes behind them are free. */
function kemCoefficientsFit(key) {
  for (let at = 0; at < key.length - 32; at += 3) {
    const low = key[at] | ((key[at + 1] & 0x0f) << 8);
    const high = (key[at + 1] >> 4) | (key[at + 2] << 4);
    if (low >= 3329 || high >= 3329) return false;
  }
  return true;
}

/** A box of 1,216 bytes for a secret of 32, sealed to a public sealing key that was checked when it was enrolled. */
export function sealTo(publicKey, context, secret, entropy) {
  keyOf(publicKey, SEAL_PUBLIC, 'a sealing key');
  keyOf(secret, 32, 'a secret to seal');
  const recipient = publicKey.subarray(0, 32);
  const ephemeral = drawn(entropy, 'sealed box ephemeral x25519', 32);
  const epk = sodium.crypto_scalarmult_base(ephemeral);
  // crypto_box_seal takes no randomness; written out it is this, and opens with crypto_box_seal_open.
  const nonce = blake2b(concat(epk, recipient), { dkLen: NONCE });
  const inner = concat(epk, sodium.crypto_box_easy(secret, nonce, recipient, ephemeral));
  const { cipherText, sharedSecret } = kem.encapsulate(publicKey.slice(32), drawn(entropy, 'ml-kem message', 32));
  const [key, commitment] = boxKeys(sharedSecret, cipherText, context);
  const cipher = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(inner, context, null, new Uint8Array(NONCE), key);
  return concat(cipherText, commitment, cipher);
}

/** The secret in a box; `sealingKey` is a SealingKey. */
export function openBox(sealingKey, context, box) {
  must(box.length === SEALED_BOX, 'AuthFailed', `a sealed box of ${box.length} bytes`);
  const ct = box.slice(0, KEM_CIPHERTEXT);
  const claimed = box.subarray(KEM_CIPHERTEXT, KEM_CIPHERTEXT + COMMITMENT);
  const [key, commitment] = boxKeys(kem.decapsulate(ct, sealingKey.pair.secretKey), ct, context);
  must(equal(commitment, claimed), 'CommitMismatch', 'a sealed box that is committed to another key or place');
  const inner = openCipher(key, new Uint8Array(NONCE), context, box.subarray(KEM_CIPHERTEXT + COMMITMENT));
  const secretKey = sealingKey.secret.subarray(0, 32);
  try {
    return sodium.crypto_box_seal_open(inner, sealingKey.public.subarray(0, 32), secretKey);
  } catch {
    throw new Refusal('AuthFailed', 'a sealed box whose inner layer is not authentic');
  }
}

function boxKeys(sharedSecret, ct, context) {
  const both = hash('SEALED_BOX', concat(ct, context), { key: sharedSecret, size: 64 });
  return [both.subarray(0, 32), both.subarray(32)];
}

// ------------------------------------------------------------------------------------------------- padding, SPEC 5.6

const LADDER_MIN = 512;
const LADDER_MAX = 65_536;

/** The smallest allowed size of an object of so many bytes. */
export function paddedSize(size) {
  if (size <= LADDER_MAX) {
    let rung = LADDER_MIN;
    while (rung < size) rung *= 2;
    return rung;
  }
  // Padmé. 31 − clz32 is ⌊log2⌋ of a whole number; Math.log2 rounds.
  const e = 31 - Math.clz32(size);
  const s = 31 - Math.clz32(e) + 1;
  const step = 2 ** (e - s);
  return Math.ceil(size / step) * step;
}

/** The padded plaintext of an object that has `overhead` further bytes around it. */
export function pad(plaintext, overhead) {
  const padded = new Uint8Array(paddedSize(plaintext.length + 1 + overhead) - overhead);
  padded.set(plaintext);
  padded[plaintext.length] = 0x80;
  return padded;
}

export function unpad(padded, overhead) {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end--;
  must(end >= 0 && padded[end] === 0x80, 'AuthFailed', 'padding without its marker');
  const smallest = paddedSize(end + 1 + overhead) === padded.length + overhead;
  must(smallest, 'AuthFailed', 'padding to another size than the smallest that is allowed');
  return padded.slice(0, end);
}

// ---------------------------------------------------------------------------------------------- passphrase, SPEC 5.7

/** Argon2id of a passphrase's NFC form: the parameters are constants. */
export function keyFromPassphrase(passphrase, salt) {
  const text = utf8(passphrase.normalize('NFC'));
  const algorithm = sodium.crypto_pwhash_ALG_ARGON2ID13;
  return sodium.crypto_pwhash(32, text, salt, 3, 67_108_864, algorithm);
}

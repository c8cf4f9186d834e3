// The operations `encoding::` and `crypto::` of vectors/README.md, for the conformance testee: JSON in, JSON out.

import { decode, encode } from './encoding.mjs';
import { fromHex, toHex } from './bytes.mjs';
import * as crypto from './crypto.mjs';
import { fromJson, toJson } from './values.mjs';

/** The vectors' own draw of the nonce of `crypto::seal`. */
const SEAL_DRAW = 'envelope nonce';

export const operations = new Map(Object.entries({
  'encoding::encode': ({ value }) => ({ bytes: toHex(encode(fromJson(value))) }),
  'encoding::decode': ({ bytes, limit }) => ({ value: toJson(decode(fromHex(bytes), { limit })) }),
  'encoding::decode_values': ({ bytes, limit }) => ({ value: toJson(decode(fromHex(bytes), { limit, values: true })) }),

  'crypto::hash': ({ label, size, message, key }) => {
    const digest = crypto.hash(label, fromHex(message), { size, key: key === undefined ? undefined : fromHex(key) });
    return { digest: toHex(digest) };
  },
  'crypto::sign': ({ seed, label, set_id, message }) => {
    const signature = crypto.sign(fromHex(seed), label, fromHex(set_id), fromHex(message));
    return { verify_key: toHex(crypto.verifyKeyOf(fromHex(seed))), signature: toHex(signature) };
  },
  'crypto::verify': ({ label, set_id, message, signature, verify_key }) => {
    crypto.verify(fromHex(verify_key), label, fromHex(set_id), fromHex(message), fromHex(signature));
    return {};
  },
  'crypto::check_verify_key': ({ verify_key }) => {
    crypto.checkVerifyKey(fromHex(verify_key));
    return {};
  },
  'crypto::seal': ({ key, context, plaintext }, entropy) => {
    const sealed = crypto.seal(fromHex(key), fromHex(context), fromHex(plaintext), entropy, SEAL_DRAW);
    return { sealed: toHex(sealed) };
  },
  'crypto::open': ({ key, context, sealed }) => {
    return { plaintext: toHex(crypto.open(fromHex(key), fromHex(context), fromHex(sealed))) };
  },
  'crypto::sealing_key': ({ secret }) => ({ public: toHex(new crypto.SealingKey(fromHex(secret)).public) }),
  'crypto::check_seal_public': (inputs) => {
    crypto.checkSealPublic(fromHex(inputs.public));
    return {};
  },
  'crypto::seal_to': (inputs, entropy) => {
    const box = crypto.sealTo(fromHex(inputs.public), fromHex(inputs.context), fromHex(inputs.secret), entropy);
    return { box: toHex(box) };
  },
  'crypto::open_box': ({ sealing_secret, context, box }) => {
    const key = new crypto.SealingKey(fromHex(sealing_secret));
    return { secret: toHex(crypto.openBox(key, fromHex(context), fromHex(box))) };
  },
  'crypto::padded_size': ({ size }) => ({ padded_size: crypto.paddedSize(size) }),
  'crypto::pad': ({ plaintext, overhead }) => ({ padded: toHex(crypto.pad(fromHex(plaintext), overhead)) }),
  'crypto::unpad': ({ padded, overhead }) => ({ plaintext: toHex(crypto.unpad(fromHex(padded), overhead)) }),
  'crypto::key_from_passphrase': ({ passphrase, salt }) => {
    return { key: toHex(crypto.keyFromPassphrase(passphrase.text, fromHex(salt))) };
  },
}));

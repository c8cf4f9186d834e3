// SPEC 13.3: what takes several requests, over anything that has `ask(type, ...fields)`.

import { concat } from './bytes.mjs';
import { Refusal } from './errors.mjs';

const BLOB_PART = 524_288;

export class Requests {
  /** A whole blob. Its length is the relay's word until the id has been compared, so it is bounded (SPEC 13.3). */
  async getBlob(id) {
    let blob = new Uint8Array(0);
    let whole = 1;
    while (blob.length < whole) {
      const [size, bytes] = await this.#part(id, blob.length);
      if (bytes.length === 0 || blob.length + bytes.length > size) {
        throw new Refusal('RemoteProtocolError', 'a part that does not fit its blob');
      }
      whole = size;
      blob = concat(blob, bytes);
    }
    return blob;
  }

  /** A blob is only asked for where a signed object names it, so it was there: a relay that has it not withholds it. */
  async #part(id, offset) {
    try {
      return await this.ask('GET_BLOB', id, offset);
    } catch (error) {
      if (error.reason !== 'NotFound') throw error;
      throw new Refusal('WithheldDetected', 'a blob that is named is not served');
    }
  }

  async putBlob(id, blob) {
    for (let at = 0; at < blob.length; at += BLOB_PART) {
      await this.ask('PUT_BLOB', id, blob.length, at, blob.subarray(at, at + BLOB_PART));
    }
  }
}

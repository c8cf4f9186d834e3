// The operations `snapshots::` of vectors/README.md, for the conformance testee: JSON in, JSON out.

import { fromHex, toHex } from './bytes.mjs';
import { hexed, unhexed } from './operations_epochs.mjs';
import * as snapshots from './snapshots.mjs';

const blobOut = ({ id, blob }) => ({ blob: toHex(blob), id: toHex(id) });

export const operations = new Map(Object.entries({
  'snapshots::seal_blob': ({ type, set_id, content }, entropy) => {
    return blobOut(snapshots.sealBlob(type, fromHex(set_id), fromHex(content), entropy));
  },
  'snapshots::open_blob': ({ type, key, set_id, id, blob }) => {
    return { content: toHex(snapshots.openBlob(type, fromHex(key), fromHex(set_id), fromHex(id), fromHex(blob))) };
  },
  'snapshots::seal_manifest': ({ key, set_id, epoch, vector, digest, horizon, runs, unknown }, entropy) => {
    const manifest = { vector: unhexed(vector), digest: fromHex(digest), horizon, runs: unhexed(runs), unknown: unhexed(unknown) };
    return blobOut(snapshots.sealManifest(fromHex(key), fromHex(set_id), epoch, manifest, entropy));
  },
  'snapshots::open_manifest': ({ key, set_id, epoch, previous_horizon, id, blob }) => {
    const place = [fromHex(key), fromHex(set_id), epoch, previous_horizon];
    const manifest = snapshots.openManifest(...place, fromHex(id), fromHex(blob));
    return Object.fromEntries(Object.entries(manifest).map(([name, value]) => [name, hexed(value)]));
  },
  'snapshots::build_run': ({ set_id, contacts }, entropy) => {
    const { run, blobs } = snapshots.buildRun(fromHex(set_id), unhexed(contacts), entropy);
    return { run: hexed(run), blobs: blobs.map(({ blob }) => toHex(blob)) };
  },
  'snapshots::read_run': ({ set_id, run, blobs }) => {
    const served = new Map(blobs.map(([id, blob]) => [id, fromHex(blob)]));
    return { contacts: hexed(snapshots.readRun(fromHex(set_id), unhexed(run), (id) => served.get(toHex(id)))) };
  },
  'snapshots::plan_runs': ({ counts, dirty }) => ({ kept: snapshots.planRuns(counts, dirty) }),
  'snapshots::split_media': ({ size }) => ({ sizes: snapshots.splitMedia(size) }),
}));

/** Snapshots for newcomers (PROTOCOL.md §9.5): a manifest and its chunks, cut finely; what they open; and ones that are refused. */
import { encodeHex } from '../../../engine/codec/bytes.js'
import type { HeldState } from '../../../engine/space/follower.js'
import { encodeManifest } from '../../../engine/space/snapshot-manifest.js'
import { SnapshotReader, SnapshotSource } from '../../../engine/space/snapshot-chunks.js'
import { live } from '../../space/random-world.js'
import { crypto } from '../../space/world.js'
import { type Json, type VectorSource } from '../registry.js'
import { codeOf } from './codec.js'

export const source: VectorSource = { name: 'snapshot', build }

function build(): Json {
  const { world } = live(13, 20)
  const { head } = world
  const held = world.state as HeldState
  const snapshot = new SnapshotSource(world.env, world.tree, held)
  const rows = held.tree.count(new Uint8Array(0))
  const counts = Array.from({ length: Math.ceil(rows / 16) }, (_, i) => Math.min(16, rows - 16 * i))
  const manifest = encodeManifest({ head, frontier: held.log, counts })
  const chunks = counts.map((count, i) => snapshot.rows(16 * i, count))
  return {
    head: { size: head.size, logRoot: encodeHex(head.logRoot), stateRoot: encodeHex(head.stateRoot) },
    rows,
    /** As the library cuts it. */
    whole: { manifest: encodeHex(snapshot.manifest), chunk: encodeHex(snapshot.rows(0, rows)) },
    manifest: encodeHex(manifest),
    chunks: chunks.map((chunk) => encodeHex(chunk)),
    refused: [
      { why: 'the state of another size', manifest: encodeHex(encodeManifest({ head: world.headAt(head.size - 1), frontier: (world.history[head.size - 1] as HeldState).log, counts })) },
      { why: 'a peak of another log', manifest: encodeHex(encodeManifest({ head, frontier: { ...held.log, peaks: held.log.peaks.map((peak, i) => (i === 0 ? head.stateRoot : peak)) }, counts })) },
      { why: 'a row more than there are', manifest: encodeHex(encodeManifest({ head, frontier: held.log, counts: [...counts.slice(0, -1), (counts.at(-1) as number) + 1] })), chunk: encodeHex(chunks[0] as Uint8Array) },
      { why: 'the rows of another chunk', manifest: encodeHex(manifest), chunk: encodeHex(chunks[1] as Uint8Array) },
      { why: 'a chunk without its last byte', manifest: encodeHex(manifest), chunk: encodeHex((chunks[0] as Uint8Array).subarray(0, -1)) },
    ].map((refused) => ({ ...refused, code: codeOf(() => {
      const reader = new SnapshotReader(crypto, head, Buffer.from(refused.manifest, 'hex'))
      if ('chunk' in refused) reader.accept(0, Buffer.from(refused.chunk, 'hex'))
    }) })),
  }
}


/**
 * The record of an epoch: who started it, commitments to its secrets, the history link to what came before and the box that carries the
 * blinding secrets. What is sealed in here is opaque to the state machine but for its length.
 *
 * An epoch that is current and has no record is *void*: somebody left on their own, and the next `rotate`, by anybody, delivers it.
 */
import { decodeCanonical, encodeCanonical, type Reader, type Writer } from '../codec/canonical.js'
import { MAX_LINK_LENGTH } from '../limits.js'
import type { StateReader } from '../state/context.js'
import { epochKey, MAX_ID } from '../state/keys.js'

export const EPOCH_REASONS = ['genesis', 'rotate', 'removal', 'forget'] as const
export type EpochReason = (typeof EPOCH_REASONS)[number]

/** Blinding secrets alive at once: the one in use and, while tables are re-blinded, the one before. */
export const MAX_GENERATIONS = 2

/** A blinding secret's public side: H(label, space, generation, secret), so that whoever carries it wrongly is found out. */
export interface Generation {
  readonly generation: number
  readonly commitment: Uint8Array
}

/** Commitments to the two secrets derived from S; whoever opens S compares, and history links are told right from wrong by them. */
export interface EpochCommitments {
  readonly data: Uint8Array
  readonly link: Uint8Array
}

export interface EpochRecord {
  readonly startedAt: number
  /** Device that started it: the one named if something sealed in here is wrong. */
  readonly author: number
  readonly reason: EpochReason
  /** C0 of its delivery: tells this delivery from another of the same epoch on a branch that did not survive. */
  readonly c0: Uint8Array
  readonly commitments: EpochCommitments
  /** Epoch that the latest forget started; 0 if there was none. Agreement keys older than it hold that forget up. */
  readonly lastForget: number
  /** First epoch whose secrets the link carries: the one before this, or all that a forget left. Equal to this one's number: it carries none. */
  readonly linksFrom: number
  /** A box sealed under this epoch's link secret; empty if it carries nothing. */
  readonly link: Uint8Array
  /** Ascending, one or two. */
  readonly generations: readonly Generation[]
  /** The blinding secrets of `generations`, in a box sealed under this epoch's link secret. */
  readonly blinding: Uint8Array
}

export function encodeEpoch(epoch: EpochRecord): Uint8Array {
  return encodeCanonical(epoch, (w, e) => {
    w.varint(e.startedAt).varint(e.author).u8(EPOCH_REASONS.indexOf(e.reason)).fixed(e.c0, 32)
    writeCommitments(w, e.commitments)
    w.varint(e.lastForget).varint(e.linksFrom).bytes(e.link, MAX_LINK_LENGTH)
    writeGenerations(w, e.generations)
    w.bytes(e.blinding, MAX_LINK_LENGTH)
  })
}

/** The byte arrays are views into `bytes`. */
export function decodeEpoch(bytes: Uint8Array): EpochRecord {
  return decodeCanonical(bytes, (r) => ({
    startedAt: r.varint(),
    author: r.varint(MAX_ID),
    reason: readReason(r),
    c0: r.fixed(32),
    commitments: readCommitments(r),
    lastForget: r.varint(MAX_ID),
    linksFrom: r.varint(MAX_ID),
    link: r.bytes(MAX_LINK_LENGTH),
    generations: readGenerations(r),
    blinding: r.bytes(MAX_LINK_LENGTH),
  }))
}

/** Undefined for a void or forgotten epoch, and for one that never was. */
export function readEpoch(state: Pick<StateReader, 'get'>, epoch: number): EpochRecord | undefined {
  const bytes = state.get(epochKey(epoch))
  return bytes === undefined ? undefined : decodeEpoch(bytes)
}

export function writeCommitments(writer: Writer, commitments: EpochCommitments): void {
  writer.fixed(commitments.data, 32).fixed(commitments.link, 32)
}

export function readCommitments(reader: Reader): EpochCommitments {
  return { data: reader.fixed(32), link: reader.fixed(32) }
}

export function writeGenerations(writer: Writer, generations: readonly Generation[]): void {
  writer.list(generations, MAX_GENERATIONS, (w, g) => w.varint(g.generation).fixed(g.commitment, 32))
}

export function readGenerations(reader: Reader): readonly Generation[] {
  return reader.list(MAX_GENERATIONS, (r) => ({ generation: r.varint(MAX_ID), commitment: r.fixed(32) }), 33)
}

function readReason(reader: Reader): EpochReason {
  const reason = EPOCH_REASONS[reader.u8()]
  if (reason === undefined) throw reader.bad('Expected the reason of an epoch, 0 to 3')
  return reason
}

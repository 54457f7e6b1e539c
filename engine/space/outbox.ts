/**
 * What this device has written and the verified log does not have. Two lists, both durable:
 *
 *     pending   entries that apply, one after the other, on top of the verified state: `secret/outbox/<n>`
 *     refused   entries that the log rejected, or that no longer apply: `secret/refused/<n>`, until what they were to do was executed again
 *
 * A refused entry that was sent may still land: it is dead only when another entry of this device has (PROTOCOL.md §6.3). So it is kept beside the
 * entry that was written in its place, which it replaces in turn if it does land; else what it did would be done twice.
 *
 * Nothing here waits. What changes on disk is handed out as puts first, and taken over here when they are durable.
 */
import { equalBytes } from '../codec/bytes.js'
import type { Sha256 } from '../crypto/provider.js'
import type { Batch, Store } from '../store/store.js'
import { decodeRecord, entryHash } from './entry.js'
import { everyOp } from './ops/encoded.js'
import type { Op } from './ops/index.js'
import { Pending } from './pending.js'
import { decodeOutboxItem, decodeRefusedItem, encodeOutboxItem, encodeRefusedItem, NAMES, outboxName, refusedName, type RefusedItem } from './persist.js'
import type { Verdict } from './types.js'

export type Puts = NonNullable<Batch['put']>

export interface Refused extends RefusedItem {
  readonly sequence: number
  readonly hash: Uint8Array
}

/** A pending entry that is done: the log has it, or has the entry that it was written in place of. `offset`: in the batch of records. */
export interface Landed {
  readonly pending: Pending
  readonly verdict: Verdict
  readonly offset: number
}

/** A change of both lists, computed but not yet made. */
export interface OutboxChange {
  readonly puts: Puts
  readonly pending: readonly Pending[]
  readonly refused: readonly Refused[]
}

export interface Landing extends OutboxChange {
  readonly landed: readonly Landed[]
  /** Entries of ours, given up for refused, that are in the log after all. */
  readonly revived: readonly { readonly hash: Uint8Array; readonly offset: number }[]
}

export class Outbox {
  readonly #crypto: Sha256
  readonly #seenBy: (index: number) => number
  #sequence = 0
  #pending: readonly Pending[] = []
  #refused: readonly Refused[] = []

  constructor(crypto: Sha256, seenBy: (index: number) => number) {
    this.#crypto = crypto
    this.#seenBy = seenBy
  }

  get pending(): readonly Pending[] {
    return this.#pending
  }
  /** Refused, and not executed again yet. */
  get unresolved(): readonly Refused[] {
    return this.#refused.filter(({ replacedBy }) => replacedBy === undefined)
  }

  get now(): OutboxChange {
    return { puts: [], pending: this.#pending, refused: this.#refused }
  }

  restore(store: Store): void {
    const number = (name: string, prefix: string): number => Number(name.slice(prefix.length))
    this.#pending = store.names(NAMES.outbox).map((name) => {
      const { record, replay } = decodeOutboxItem(store.get(name) as Uint8Array)
      return this.#make(record, entryHash(this.#crypto, record), replay, number(name, NAMES.outbox), false)
    })
    this.#refused = store.names(NAMES.refused).map((name) => {
      const item = decodeRefusedItem(store.get(name) as Uint8Array)
      return { ...item, hash: entryHash(this.#crypto, item.record), sequence: number(name, NAMES.refused) }
    })
    this.#sequence = 1 + Math.max(-1, ...this.#pending.map(({ sequence }) => sequence), ...this.#refused.map(({ sequence }) => sequence))
  }

  /** The handle of a new entry; not in the list until `add` was adopted. */
  track(record: Uint8Array, hash: Uint8Array, replay: Uint8Array | undefined): Pending {
    return this.#make(record, hash, replay, this.#sequence++, true)
  }

  /** Keep an entry. If it does what a refused one was to do, it stands in its place from now on. */
  add(pending: Pending): OutboxChange {
    const put: Puts[number] = [outboxName(pending.sequence), encodeOutboxItem(pending)]
    const { puts, refused } = this.replace(pending)
    return { puts: [put, ...puts], pending: [...this.#pending, pending], refused }
  }

  /** As `add`, for an entry that goes straight into the log. */
  replace(pending: Pending): OutboxChange {
    const { replay, hash } = pending
    const place = replay && this.unresolved.find((item) => item.replay !== undefined && equalBytes(item.replay, replay))
    if (!place) return this.now
    const next = { ...place, replacedBy: hash }
    return { puts: [[refusedName(place.sequence), encodeRefusedItem(next)]], pending: this.#pending, refused: this.#refused.map((item) => (item === place ? next : item)) }
  }

  /** What `verdicts` of the log, in order, mean for the entries here. */
  land(verdicts: readonly { readonly hash: Uint8Array; readonly verdict: Verdict }[]): Landing {
    const puts: Puts[number][] = []
    const landed: Landed[] = []
    const revived: Landing['revived'][number][] = []
    let pending = this.#pending
    let refused = this.#refused
    const settle = (item: Pending, verdict: Verdict, offset: number): void => {
      landed.push({ pending: item, verdict, offset })
      puts.push([outboxName(item.sequence), null])
      pending = pending.filter((other) => other !== item)
    }
    const forget = (items: readonly Refused[]): void => {
      for (const { sequence } of items) puts.push([refusedName(sequence), null])
      refused = refused.filter((item) => !items.includes(item))
    }
    for (const [offset, { hash, verdict }] of verdicts.entries()) {
      const own = pending.find((item) => equalBytes(item.hash, hash))
      if (own) {
        settle(own, verdict, offset)
        if (verdict.kind === 'ignored') continue
        forget(refused.filter(({ replacedBy }) => replacedBy !== undefined)) // another entry of this device counted: they are dead
        continue
      }
      const back = refused.find((item) => equalBytes(item.hash, hash))
      if (!back || verdict.kind !== 'applied') continue
      revived.push({ hash, offset })
      const chain = this.#chainFrom(back, refused)
      const stand = pending.find((item) => chain.some(({ replacedBy }) => replacedBy !== undefined && equalBytes(replacedBy, item.hash)))
      if (stand) settle(stand, verdict, offset)
      forget(chain)
    }
    for (const { pending: item, verdict } of landed) {
      if (verdict.kind === 'applied' || !isDraft(item.record)) continue
      const next = this.#toRefused(item)
      puts.push([refusedName(next.sequence), encodeRefusedItem(next)])
      refused = [...refused, next]
    }
    return { puts, pending, refused, landed, revived }
  }

  /** After `change`, give up all but the first `kept` pending entries, too. */
  drop(change: OutboxChange, kept: number): OutboxChange & { readonly dropped: readonly Pending[] } {
    const dropped = change.pending.slice(kept)
    const drafts = dropped.filter(({ record }) => isDraft(record)).map((item) => this.#toRefused(item))
    const puts: Puts = [
      ...change.puts,
      ...dropped.map(({ sequence }) => [outboxName(sequence), null] as const),
      ...drafts.map((item) => [refusedName(item.sequence), encodeRefusedItem(item)] as const),
    ]
    return { puts, pending: change.pending.slice(0, kept), refused: [...change.refused, ...drafts], dropped }
  }

  /** Another history takes the place of the one that all this was made on: what is pending is given up, and `again` stands instead. */
  restart(again: readonly Pending[]): OutboxChange & { readonly dropped: readonly Pending[] } {
    const given = this.drop(this.now, 0)
    return { ...given, puts: [...given.puts, ...again.map((item) => [outboxName(item.sequence), encodeOutboxItem(item)] as const)], pending: again }
  }

  /** A refused entry that was executed again without a new entry, or that nobody can execute: forget it. */
  resolve(hash: Uint8Array): OutboxChange {
    const done = this.unresolved.filter((item) => equalBytes(item.hash, hash))
    return { puts: done.map(({ sequence }) => [refusedName(sequence), null] as const), pending: this.#pending, refused: this.#refused.filter((item) => !done.includes(item)) }
  }

  adopt(change: OutboxChange): void {
    this.#pending = change.pending
    this.#refused = change.refused
  }

  #make(record: Uint8Array, hash: Uint8Array, replay: Uint8Array | undefined, sequence: number, isNew: boolean): Pending {
    return new Pending({ record, hash, replay, sequence, isNew, seenBy: this.#seenBy })
  }

  #toRefused({ record, replay, hash, sequence }: Pending): Refused {
    return { record, replay, hash, sequence, replacedBy: undefined }
  }

  /** A refused entry, and those written in its place that were refused in turn. */
  #chainFrom(first: Refused, refused: readonly Refused[]): readonly Refused[] {
    const chain = [first]
    for (let last: Refused | undefined = first; last;) {
      const next: Uint8Array | undefined = last.replacedBy
      last = next && refused.find((item) => equalBytes(item.hash, next))
      if (last) chain.push(last)
    }
    return chain
  }
}

const DRAFT_OPS: ReadonlySet<Op['op']> = new Set(['insert', 'update', 'delete', 'create', 'replace', 'drop'])

/** Written by `commit`, so that there is somebody to execute it again. Who wrote an act of the group is told by its promise. */
export function isDraft(record: Uint8Array): boolean {
  const decoded = decodeRecord(record)
  return decoded.kind === 'entry' && everyOp(decoded.entry.ops, (op) => DRAFT_OPS.has(op))
}

/** Whoever wrote it sees to it: file-entries.ts. */
export function isFileEntry(record: Uint8Array): boolean {
  const decoded = decodeRecord(record)
  return decoded.kind === 'entry' && everyOp(decoded.entry.ops, (op) => op === 'file.put' || op === 'file.delete')
}

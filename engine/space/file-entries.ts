/**
 * Entries on files that this device writes, until the log has them. What the log refuses for what others did meanwhile (another epoch, an entry before it) is written
 * again, after a restart too; what it refuses for itself is told, by the alert `lost-file`.
 */
import { encodeHex, equalBytes } from '../codec/bytes.js'
import { isSealError, SealError } from '../errors.js'
import { filesPrefix } from '../state/keys.js'
import { buildPutFile } from './build-files.js'
import { decodeRecord } from './entry.js'
import { fileIdOf, readFile } from './file-record.js'
import type { FileShelf, PutIntent, Upload } from './file-shelf.js'
import { workbenchOf } from './settle.js'
import type { Space } from './space.js'
import { readOnly } from './standing.js'
import type { Committed, SettleState } from './types.js'

/** What an entry on its way is about. */
interface Doing { readonly kind: 'put' | 'delete'; readonly id: Uint8Array }

export class FileEntries {
  readonly #space: Space
  readonly #shelf: FileShelf
  /** Entries of an earlier process that are still on their way. */
  readonly #restored = new Map<string, Doing>()
  readonly #stop: () => void
  readonly #onLanded: () => void
  /** Entries of this process that are. */
  readonly #away = new Set<Promise<void>>()
  /** One thing after the other. */
  #work: Promise<void> = Promise.resolve()
  #closed = false
  #swept: Uint8Array | undefined

  /** `onLanded`: a file that was put here is in the log. */
  constructor(space: Space, shelf: FileShelf, onLanded: () => void) {
    this.#space = space
    this.#shelf = shelf
    this.#onLanded = onLanded
    for (const { hash, record } of space.outbox()) {
      const doing = doingOf(record)
      if (doing) this.#restored.set(encodeHex(hash), doing)
    }
    this.#stop = space.on('settle', ({ hash, state }) => {
      if (state.kind !== 'relay' && state.kind !== 'rejected') return // sent, perhaps
      const doing = this.#restored.get(encodeHex(hash))
      if (doing && this.#restored.delete(encodeHex(hash))) this.#ended(doing, state)
    })
    // Put before a crash, and neither in the log nor on its way.
    const away = new Set([...this.#restored.values()].map(({ id }) => encodeHex(id)))
    for (const id of shelf.intents()) {
      this.#later(async () => {
        if (await this.#isThere(id, 'verified')) await shelf.landed(id)
        else if (!away.has(encodeHex(id))) await this.#again({ kind: 'put', id })
      })
    }
  }

  /** Throws `rejected` for who can't write, `read-only` while nobody can: before anything is sealed. */
  mustWrite(): void {
    const { role } = this.#space.me
    if (!this.#space.writable || role === undefined) throw readOnly(role === undefined ? 'removed' : 'stopped')
    if (role === 'reader') throw new SealError('rejected', 'The space refuses this: this member’s role does not allow it (role: writer).', { kind: 'rejected', code: 'role', detail: 'writer' })
  }

  /** Throws `rejected`; then its chunks are gone. */
  async put(intent: PutIntent): Promise<{ readonly id: Uint8Array; readonly version: number }> {
    const id = fileIdOf(this.#space.env.crypto, this.#space.id, intent.facts)
    await this.#shelf.intend(id, intent)
    try {
      await this.#write({ kind: 'put', id })
    } catch (error) {
      // A store that may have the entry or not tells at its next opening; till then all stays.
      if (!isSealError(error, 'store-failed') || error.facts.outcome === 'absent') await this.#shelf.giveUp(id)
      throw error
    }
    const written = await this.#space.reach(() => readFile(this.#space.currentState, id))
    return { id, version: written?.version ?? this.#space.head.size }
  }

  async delete(id: Uint8Array): Promise<void> {
    await this.#write({ kind: 'delete', id })
  }

  /** Something of the verified state has changed: the content of what is gone goes. */
  afterChange(): void {
    this.#later(async () => {
      // A thin client has to ask whether something changed: not while it holds nothing that could go.
      if (this.#space.remote !== undefined && (await this.#space.store.chunks.groups()).size === 0) return
      const root = await this.#space.reach(() => this.#space.verifiedState.subtreeRoot(filesPrefix()))
      if (this.#swept && equalBytes(this.#swept, root)) return
      this.#swept = root
      await this.#shelf.sweep(async (id) => (await this.#isThere(id, 'verified')) || this.#isThere(id, 'current'))
    })
  }

  /** For a relay that lacks content: what is here, if it is here whole. `own`: this device sealed it. */
  async upload(id: Uint8Array): Promise<{ readonly own: boolean; readonly upload: () => Promise<Upload | undefined> } | undefined> {
    const file = await this.#space.reach(() => readFile(this.#space.verifiedState, id))
    if (file === undefined || !(await this.#shelf.whole([{ id, length: file.length }])).has(encodeHex(id))) return undefined
    return { own: file.creator === this.#space.me.member, upload: () => this.#shelf.upload(id, file) }
  }

  /** Resolves when all that was written here is in the log, or given up; at once while nobody orders it. */
  async settled(): Promise<void> {
    await Promise.all(this.#away)
    await this.#work
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stop()
    await this.#work
  }

  async #write({ kind, id }: Doing): Promise<Committed | undefined> {
    const committed = await this.#space.commitFiles((context) => {
      if (kind === 'delete') return [{ op: 'file.delete', id }]
      const intent = this.#shelf.intent(id)
      if (intent === undefined) throw new SealError('invariant', 'A file was to be put of which nothing is kept.')
      return [buildPutFile(workbenchOf(this.#space, context), intent.facts, intent.content)]
    })
    // It is in the log; what is noted of that here, a failing disk may leave to the next start.
    if (committed.state.kind === 'relay') this.#later(() => this.#landed({ kind, id }))
    else {
      const settled: Promise<void> = committed.settled.then((state) => {
        this.#away.delete(settled)
        this.#ended({ kind, id }, state)
      })
      this.#away.add(settled)
    }
    return committed
  }

  #ended(doing: Doing, state: SettleState): void {
    this.#later(() => (state.kind === 'rejected' ? this.#again(doing) : this.#landed(doing)))
  }

  async #landed({ kind, id }: Doing): Promise<void> {
    if (kind !== 'put') return
    await this.#shelf.landed(id)
    this.#onLanded()
  }

  /** On the state as it is now. */
  async #again(doing: Doing): Promise<void> {
    const there = await this.#isThere(doing.id, 'current')
    if (there === (doing.kind === 'put')) return this.#landed(doing) // it is as it was to be
    try {
      await this.#write(doing)
    } catch (error) {
      if (!isSealError(error, 'rejected')) throw error // the intent stays, for the next start
      if (doing.kind === 'put') await this.#shelf.giveUp(doing.id)
      this.#space.raise({ code: 'lost-file', message: `A file could not be ${doing.kind === 'put' ? 'put into the space' : 'deleted'} after all: ${error.message}`, facts: { id: encodeHex(doing.id), doing: doing.kind } })
    }
  }

  #isThere(id: Uint8Array, where: 'verified' | 'current'): Promise<boolean> {
    return this.#space.reach(() => readFile(where === 'verified' ? this.#space.verifiedState : this.#space.currentState, id) !== undefined)
  }

  #later(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (!this.#closed) await work()
    }).catch((error: unknown) => {
      // A device that may not write now, a full disk: what was to be done is done at the next start. Anything unexpected is told.
      if (!isSealError(error) || error.family === 'bug') queueMicrotask(() => { throw error })
    })
  }
}

/** Entries on files have one op. */
function doingOf(record: Uint8Array): Doing | undefined {
  const decoded = decodeRecord(record)
  const op = decoded.kind === 'entry' ? decoded.entry.ops.at(0) : undefined
  if (op?.op === 'file.put') return { kind: 'put', id: op.id.slice() }
  return op?.op === 'file.delete' ? { kind: 'delete', id: op.id.slice() } : undefined
}

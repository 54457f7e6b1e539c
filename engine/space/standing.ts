/** Whether this device may write into a space now, and if not, why. The first reason stays, but for evidence, which also ends following the relay. */
import { SealError } from '../errors.js'

export type StopReason = 'evidence' | 'removed' | 'store' | 'unsupported-version'

export class Standing {
  #stopped: StopReason | undefined
  #closed = false

  get stopped(): StopReason | undefined {
    return this.#stopped
  }
  get closed(): boolean {
    return this.#closed
  }
  get writable(): boolean {
    return this.#stopped === undefined && !this.#closed
  }

  stop(reason: StopReason): void {
    if (reason === 'evidence') this.#stopped = reason
    else this.#stopped ??= reason
  }

  /** An admin has accepted what the evidence was about. */
  settleEvidence(): void {
    if (this.#stopped === 'evidence') this.#stopped = undefined
  }

  close(): void {
    this.#closed = true
  }

  /** Throws `read-only`, or `bad-argument` for a space that was closed. */
  mustWrite(): void {
    if (this.#stopped !== undefined) throw readOnly(this.#stopped)
    if (this.#closed) throw new SealError('bad-argument', 'This space was closed.')
  }
}

export function readOnly(reason: string): SealError {
  return new SealError('read-only', `This space takes no writes now: ${reason}.`, { reason })
}

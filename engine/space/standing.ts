/** Whether this device may write into a space now, and if not, why. The first reason stays, but for evidence, which also ends following the relay. */
import { SealError } from '../errors.js'

export type StopReason = 'evidence' | 'removed' | 'store' | 'unsupported-version'

/** `with-keyring`: what the entry changes of it is kept whatever that is. `leaving`: it moves the space away from its relay. */
export type WriteHow = 'as-needed' | 'with-keyring' | 'leaving'

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

  /** An admin has accepted what the evidence was about, or the space has left whom it was against. */
  settleEvidence(): void {
    if (this.#stopped === 'evidence') this.#stopped = undefined
  }

  close(): void {
    this.#closed = true
  }

  /** Throws `read-only`, or `bad-argument` for a space that was closed. Evidence against a relay does not hold anybody there. */
  mustWrite(how: WriteHow): void {
    if (this.#stopped !== undefined && !(this.#stopped === 'evidence' && how === 'leaving')) throw readOnly(this.#stopped)
    if (this.#closed) throw new SealError('bad-argument', 'This space was closed.')
  }
}

export function readOnly(reason: string): SealError {
  return new SealError('read-only', `This space takes no writes now: ${reason}.`, { reason })
}

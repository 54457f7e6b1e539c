/** What instrumented code calls: one mutant is active or none; in a run that looks, each that would have made a difference is noted. */
export class MutantSwitch {
  active = ''
  noted: Set<string> | undefined

  /** The condition is false. */
  never(id: string, value: unknown): unknown {
    if (this.active === id) return false
    if (value && this.noted !== undefined) this.noted.add(id)
    return value
  }

  /** The condition is true. */
  always(id: string, value: unknown): unknown {
    if (this.active === id) return true
    if (!value && this.noted !== undefined) this.noted.add(id)
    return value
  }

  boundary(id: string, left: number, operator: string, right: number): boolean {
    if (left === right && this.noted !== undefined) this.noted.add(id)
    const equal = operator.length === 2
    const closed = this.active === id ? !equal : equal
    return (operator[0] === '<' ? left < right : left > right) || closed && left === right
  }

  call<T>(id: string, check: () => T): T | undefined {
    if (this.active === id) return undefined
    try {
      const done = check()
      if (done instanceof Promise) done.catch(() => this.noted?.add(id))
      return done
    } catch (error) {
      this.noted?.add(id)
      throw error
    }
  }

  /** Handed on, it cannot be seen whether it decides: wherever it is handed on counts. */
  limit(id: string, bound: number): number {
    this.noted?.add(id)
    return this.active === id ? 2 ** 40 : bound
  }
}

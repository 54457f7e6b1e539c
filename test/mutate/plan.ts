/** What the driver tells a run of the tests, and what a run tells the driver, a line each. */
export interface Plan {
  /** The sources that are instrumented. */
  readonly sources: readonly string[]
  readonly log: string
  /** Note which mutants would make a difference in which test, and try none. */
  readonly look: boolean
  readonly limits: boolean
  /** Which mutants each test is to meet. */
  readonly tests: Readonly<Record<string, readonly string[]>>
  readonly killed: readonly string[]
}

export type Report =
  | { readonly kind: 'load'; readonly file: string; readonly noted: readonly string[] }
  | { readonly kind: 'looked'; readonly test: string; readonly file: string; readonly took: number; readonly noted: readonly string[] }
  | { readonly kind: 'meets'; readonly id: string; readonly test: string; readonly within: number }
  | { readonly kind: 'survives' | 'fails'; readonly id: string; readonly test: string; readonly error?: string }
  | { readonly kind: 'killed'; readonly id: string; readonly test: string }
  | { readonly kind: 'once'; readonly test: string; readonly error: string }

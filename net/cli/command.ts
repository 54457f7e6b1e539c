/** What a command of the `sealdb` program is: its help, its options, and what it does. */
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { SealError } from '../../engine/errors.js'
import { meant } from './nearest.js'
import type { Output, Streams } from './output.js'

export interface OptionSpec {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  /** Shown after a string option, e.g. DIR. */
  readonly value?: string
  readonly help: string
}

export interface Command {
  readonly name: string
  /** Positional arguments, as shown in the help: `LINK`, `[SQL]`. */
  readonly args: string
  readonly summary: string
  /** Further lines of help. */
  readonly details?: string
  readonly options: Readonly<Record<string, OptionSpec>>
  /** Returns the exit code: 0 fine, 1 the answer is no (a proof that does not verify, an audit with problems). */
  run(invocation: Invocation): Promise<number>
}

/** What a program has around it. */
export interface Surroundings extends Streams {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown }
  /** Aborted when the program is asked to end (SIGINT, SIGTERM). Whoever takes it is waited for: commands that run until they are told to end, or that have something to undo. */
  readonly stop: AbortSignal
}

export interface Invocation {
  readonly around: Surroundings
  readonly args: readonly string[]
  readonly options: Readonly<Record<string, string | boolean | undefined>>
  readonly output: Output
}

/** From the most that a member may do to the least. */
export const ROLES = ['owner', 'admin', 'writer', 'reader'] as const

/** Options that every command has. */
const COMMON: Readonly<Record<string, OptionSpec>> = {
  json: { type: 'boolean', help: 'print JSON' },
  help: { type: 'boolean', short: 'h', help: 'show this help' },
}

/** Throws `bad-argument` for options that the command does not have. */
export function parseInvocation(command: Command, argv: readonly string[], around: Surroundings, output: Output): Invocation {
  const options: NonNullable<ParseArgsConfig['options']> = {}
  for (const [name, { type, short }] of Object.entries({ ...COMMON, ...command.options })) options[name] = short ? { type, short } : { type }
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
    const most = command.args === '' ? 0 : command.args.split(' ').length
    if (positionals.length > most) throw new Error(`Unexpected argument '${positionals[most]}'.`)
    return { around, args: positionals, options: values as Invocation['options'], output }
  } catch (cause) {
    throw new SealError('bad-argument', `${wrongCall(cause, Object.keys(options))}\nSee: sealdb ${command.name} --help`, {}, { cause })
  }
}

/** What Node says, but of an option that is not there only what concerns people. */
function wrongCall(cause: unknown, options: readonly string[]): string {
  const message = cause instanceof Error ? cause.message : String(cause)
  const [, unknown] = /^Unknown option '--?([^']+)'/.exec(message) ?? []
  if (unknown === undefined) return message
  const typed = `${unknown.length > 1 ? '--' : '-'}${unknown}`
  return `There is no option ${typed}.${meant(typed, options.map((name) => `--${name}`))}`
}

export function formatHelp(command: Command): string {
  const options = Object.entries({ ...command.options, ...COMMON }).map(([name, { short, value, help }]) => {
    const left = `${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`
    return `  ${left.padEnd(28)}${help}`
  })
  const usage = `sealdb ${command.name}${command.args === '' ? '' : ` ${command.args}`} [options]`
  return [`${command.summary}`, '', `Usage: ${usage}`, ...(command.details ? ['', command.details] : []), '', 'Options:', ...options, ''].join('\n')
}

export function text(invocation: Invocation, name: string): string | undefined {
  const value = invocation.options[name]
  return typeof value === 'string' ? value : undefined
}

/** A whole number from `min` to `max`, both included. Throws `bad-argument`. */
export function wholeNumber(value: string, what: string, { min = 0, max = Number.MAX_SAFE_INTEGER }: { readonly min?: number; readonly max?: number } = {}): number {
  const number = Number(value)
  if (!/^\d+$/.test(value) || number < min || number > max) {
    throw new SealError('bad-argument', `Expected ${what} to be a whole number${max === Number.MAX_SAFE_INTEGER ? '' : ` from ${min} to ${max}`}, got ${value}.`)
  }
  return number
}

/** One of `values`. Throws `bad-argument`. */
export function oneOf<T extends string>(value: string, what: string, values: readonly T[]): T {
  const found = values.find((each) => each === value)
  if (found === undefined) throw new SealError('bad-argument', `Expected ${what} to be one of ${values.join(', ')}, got ${value}.`)
  return found
}

/** The positional argument at `at`. Throws `bad-argument`. */
export function requiredArg(invocation: Invocation, at: number, what: string): string {
  const value = invocation.args[at]
  if (value === undefined) throw new SealError('bad-argument', `Expected ${what}.`)
  return value
}

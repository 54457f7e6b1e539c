/**
 * From arguments to an exit code: 0 done · 1 the answer is no (an audit with problems, a receipt that does not verify) · 2 wrong call ·
 * 3 failed. Errors go to stderr as message and code; with `--json` as an object.
 */
import { isSealError, SealError } from '../../engine/errors.js'
import { COMMANDS } from './commands/index.js'
import { formatHelp, parseInvocation, type Surroundings } from './command.js'
import { meant } from './nearest.js'
import { createOutput, escapeControls, toJson, type Output } from './output.js'
import { readVersion } from './version.js'

const EXIT = { ok: 0, no: 1, usage: 2, failed: 3 } as const

export async function runCli(argv: readonly string[], around: Surroundings): Promise<number> {
  const output = createOutput(around, argv.includes('--json'))
  try {
    return await dispatch(argv, around, output)
  } catch (error) {
    report(error, output)
    return isSealError(error, 'bad-argument') ? EXIT.usage : EXIT.failed
  }
}

async function dispatch(argv: readonly string[], around: Surroundings, output: Output): Promise<number> {
  const [name, ...rest] = argv
  if (name === '--version' || name === '-v') {
    output.print(readVersion())
    return EXIT.ok
  }
  if (name === undefined || name === '--help' || name === '-h' || (name === 'help' && rest.length === 0)) {
    output.print(await formatOverview(output))
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  const wanted = name === 'help' ? (rest[0] as string) : name
  const load = Object.hasOwn(COMMANDS, wanted) ? COMMANDS[wanted] : undefined
  if (!load) throw new SealError('bad-argument', `There is no command ${wanted}.${meant(wanted, [...Object.keys(COMMANDS), 'help'])}\nSee: sealdb --help`)
  const command = await load()
  // What comes after `--` is an argument, whatever it looks like.
  const end = rest.indexOf('--')
  if (name === 'help' || rest.slice(0, end < 0 ? rest.length : end).some((arg) => arg === '--help' || arg === '-h')) {
    output.print(formatHelp(command))
    return EXIT.ok
  }
  return command.run(parseInvocation(command, rest, around, output))
}

async function formatOverview(output: Output): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()))
  return [
    output.style('bold', 'SealDB: SQL that your server can’t read, forge, fork, rewind or quietly drop.'),
    '', 'Usage: sealdb COMMAND [options]', '', 'Commands:',
    ...commands.map((command) => `  ${output.style('cyan', command.name.padEnd(16))}${command.summary}`),
    '', 'sealdb COMMAND --help says more. Exit codes: 0 done, 1 the answer is no, 2 wrong call, 3 failed.',
  ].join('\n')
}

function report(error: unknown, output: Output): void {
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : String(error)
  if (output.json) output.error(toJson({ error: { code, message, ...(isSealError(error) && { facts: error.facts }) } }))
  else output.error(`${output.style('red', 'error')}: ${escapeControls(message)}${code === undefined ? '' : ` (${code})`}`)
}

/** Ours, or that of Node (EADDRINUSE, ENOENT …). */
function codeOf(error: unknown): string | undefined {
  if (isSealError(error)) return error.code
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

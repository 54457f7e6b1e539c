/** `sealdb sql`: statements from the command line or stdin, or a prompt to type them at. */
import { SealError } from '../../../engine/errors.js'
import type { Command, Invocation } from '../command.js'
import { oneOf, text } from '../command.js'
import { runRepl } from '../repl.js'
import { MODES, runStatement, type Mode } from '../results.js'
import { STORE, withSpace } from '../spaces.js'
import { isBlank, splitScript } from '../statements.js'

export const sql: Command = {
  name: 'sql',
  args: '[SQL]',
  summary: 'run SQL, or open a prompt',
  details: `With SQL, or with something piped to stdin, runs it and ends; else opens a prompt (.help says what it knows).
The prompt keeps its history in $XDG_STATE_HOME/sealdb/history, in plain text, readable for you alone.`,
  options: {
    ...STORE,
    format: { type: 'string', value: 'FORM', help: 'table, json or csv (default table)' },
    'no-history': { type: 'boolean', help: 'keep no history of what is typed' },
  },
  run: (invocation) => withSpace(invocation, async (space) => {
    const { args, around, output } = invocation
    const mode = modeOf(invocation)
    if (args[0] === undefined && around.stdin.isTTY === true) return runRepl(space, { around, output, mode, keepHistory: invocation.options['no-history'] !== true })
    for (const statement of statementsOf(args[0] ?? (await readAll(around.stdin)))) await runStatement(space, statement, output, mode)
    return 0
  }),
}

function modeOf(invocation: Invocation): Mode {
  return invocation.output.json ? 'json' : oneOf(text(invocation, 'format') ?? 'table', '--format', MODES)
}

/** A last statement needs no semicolon here. */
export function statementsOf(script: string): readonly string[] {
  const { statements, rest } = splitScript(script)
  const all = isBlank(rest) ? statements : [...statements, rest.trim()]
  if (all.length === 0) throw new SealError('bad-argument', 'Expected SQL.')
  return all
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}

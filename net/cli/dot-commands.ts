/** What the prompt knows besides SQL: lines that begin with a dot. */
import { SealError, type SealedSpace } from 'sealdb'
import { encodeHex } from '../../engine/codec/bytes.js'
import { oneOf, wholeNumber } from './command.js'
import { readTextInput } from './files.js'
import { fingerprint } from './fingerprint.js'
import { readLog } from './history.js'
import { meant } from './nearest.js'
import { forTerminal, type Output } from './output.js'
import { deviceRows, memberRows } from './people.js'
import { MODES, readSchema, runStatement, type Mode, type Target } from './results.js'
import { isBlank, splitScript } from './statements.js'

/** The prompt's own state; dot commands change it. */
export interface Prompt {
  readonly space: SealedSpace
  readonly output: Output
  mode: Mode
  timer: boolean
  /** Set by .at: statements read the state after so many entries. */
  at?: number | undefined
  ended: boolean
}

interface DotCommand {
  readonly args: string
  readonly help: string
  run(prompt: Prompt, argument: string): Promise<void> | void
}

export const DOT_COMMANDS: Readonly<Record<string, DotCommand>> = {
  '.help': { args: '', help: 'this list', run: ({ output }) => output.print(help()) },
  '.tables': {
    args: '', help: 'tables and views',
    run: async (prompt) => prompt.output.print(forTerminal((await readSchema(targetOf(prompt))).filter(({ type }) => type === 'table' || type === 'view').map(({ name }) => name).join('\n'))),
  },
  '.schema': {
    args: '[NAME]', help: 'the SQL of everything, or of one thing, as SQLite has it',
    run: async (prompt, name) => prompt.output.print(forTerminal((await readSchema(targetOf(prompt), name === '' ? undefined : name)).map(({ sql }) => `${sql ?? ''};`).join('\n'))),
  },
  '.members': { args: '[all]', help: 'who is in the space', run: ({ space, output }, which) => output.table(memberRows(space, which === 'all')) },
  '.devices': { args: '[all]', help: 'their devices', run: ({ space, output }, which) => output.table(deviceRows(space, which === 'all')) },
  '.log': {
    args: '[N]', help: 'the latest N entries (10)',
    run: async ({ space, output }, count) =>
      output.table((await readLog(space, wholeNumber(count === '' ? '10' : count, 'the number of entries'))).map(({ hash, ...line }) => ({ ...line, hash: hash.slice(0, 12) }))),
  },
  '.head': { args: '', help: 'the verified head, to compare with others', run: ({ space, output }) => output.object(headOf(space)) },
  '.proof': {
    args: 'SQL', help: 'a receipt (base64) for rows: SELECT * FROM one table WHERE …',
    run: async ({ space, output }, query) => output.print(Buffer.from(await space.prove(query)).toString('base64')),
  },
  '.read': {
    args: 'FILE', help: 'run the statements of a file',
    run: async (prompt, file) => {
      const { statements, rest } = splitScript(readTextInput(file))
      for (const statement of isBlank(rest) ? statements : [...statements, rest]) await runStatement(targetOf(prompt), statement, prompt.output, prompt.mode)
    },
  },
  '.at': {
    args: '[N]', help: 'read the state after N entries; without N, the present one',
    run: (prompt, size) => {
      prompt.at = size === '' ? undefined : wholeNumber(size, 'the number of entries', { min: 1, max: prompt.space.head.size })
    },
  },
  '.policies': {
    args: '', help: 'who may change which rows',
    run: async ({ space, output }) => output.table((await space.query('SELECT "table", sql AS policy FROM sealdb_policies')).rows),
  },
  '.mode': { args: 'table|json|csv', help: 'how rows are shown', run: (prompt, mode) => { prompt.mode = oneOf(mode, '.mode', MODES) } },
  '.timer': { args: 'on|off', help: 'show how long statements take', run: (prompt, which) => { prompt.timer = oneOf(which, '.timer', ['on', 'off']) === 'on' } },
  '.quit': { args: '', help: 'end (also Ctrl-D)', run: (prompt) => { prompt.ended = true } },
}

/** What statements run on. */
export function targetOf({ space, at }: Prompt): Target {
  return at === undefined ? space : space.at(at)
}

/** Throws `bad-argument` for what is none. */
export async function runDot(prompt: Prompt, line: string): Promise<void> {
  const [, name = '', argument = ''] = /^(\S+)\s*(.*?);?\s*$/s.exec(line) ?? []
  const command = Object.hasOwn(DOT_COMMANDS, name) ? DOT_COMMANDS[name] : undefined
  if (!command) throw new SealError('bad-argument', `There is no ${name}.${meant(name, Object.keys(DOT_COMMANDS))} See .help`)
  await command.run(prompt, argument)
}

function help(): string {
  const lines = Object.entries(DOT_COMMANDS).map(([name, { args, help: text }]) => `${`${name} ${args}`.padEnd(24)}${text}`)
  return [...lines, '', 'Everything else is SQL and ends with a semicolon.'].join('\n')
}

function headOf(space: SealedSpace): Readonly<Record<string, unknown>> {
  const { size, logRoot, stateRoot } = space.head
  return { size, fingerprint: fingerprint(logRoot), logRoot: encodeHex(logRoot), stateRoot: encodeHex(stateRoot), pending: space.pending, connection: space.connection }
}


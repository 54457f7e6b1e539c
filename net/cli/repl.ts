/** The prompt: statements over several lines until `;`, dot commands, history, timing. An error ends the statement, not the prompt. */
import { createInterface } from 'node:readline'
import type { Interface } from 'node:readline'
import { isSealError, type SealedSpace } from 'sealdb'
import type { Surroundings } from './command.js'
import { DOT_COMMANDS, runDot, targetOf, type Prompt } from './dot-commands.js'
import { appendHistory, historyFile, readHistory } from './prompt-history.js'
import { escapeControls, type Output } from './output.js'
import { runStatement, type Mode } from './results.js'
import { isBlank, splitScript } from './statements.js'

/** What people type who come from other prompts. */
const NOT_SQL = /^\s*(?:help|exit|quit|\\\w*|\?)\s*;?\s*$/i

export interface ReplOptions {
  readonly around: Surroundings
  readonly output: Output
  readonly mode: Mode
  readonly keepHistory: boolean
}

export async function runRepl(space: SealedSpace, { around, output, mode, keepHistory }: ReplOptions): Promise<number> {
  const prompt: Prompt = { space, output, mode, timer: false, ended: false }
  let file = keepHistory ? historyFile() : undefined
  const remember = (statement: string): void => {
    if (file === undefined) return
    try {
      appendHistory(file, statement)
    } catch (error) {
      output.error(output.style('yellow', `What you type is not kept: ${error instanceof Error ? error.message : String(error)}`))
      file = undefined
    }
  }
  const terminal = around.stdin.isTTY === true
  const lines = createInterface({
    input: around.stdin, output: around.stdout as NodeJS.WritableStream, terminal, historySize: 1_000,
    history: file === undefined ? [] : [...readHistory(file)],
    completer: (line: string) => complete(line),
  })
  output.print(`${output.style('bold', 'SealDB')} · ${space.head.size} entries · you are member ${space.me.id} (${space.me.role ?? 'removed'}) · .help`)
  let typed = ''
  const ask = (): void => {
    lines.setPrompt(output.style('cyan', typed === '' ? `sealdb${prompt.at === undefined ? '' : ` at ${prompt.at}`}> ` : '   ...> '))
    lines.prompt()
  }
  lines.on('SIGINT', () => {
    // Ctrl-C forgets what is being typed; on an empty line it ends.
    if (typed === '' && lines.line === '') return lines.close()
    typed = ''
    output.print('')
    lines.write(null, { ctrl: true, name: 'u' })
    ask()
  })
  ask()
  for await (const line of untilClosed(lines)) {
    // While a statement runs nobody reads the keys: Ctrl-C is a signal then, and ends the program.
    if (terminal) around.stdin.setRawMode?.(false)
    typed = await take(prompt, typed === '' ? line : `${typed}\n${line}`, remember)
    if (terminal) around.stdin.setRawMode?.(true)
    if (prompt.ended) break
    ask()
  }
  lines.close()
  return 0
}

/** Runs what is finished; returns what is not. */
async function take(prompt: Prompt, text: string, remember: (statement: string) => void): Promise<string> {
  const { output } = prompt
  if (text.startsWith('.')) {
    remember(text)
    await guarded(output, () => runDot(prompt, text))
    return ''
  }
  if (NOT_SQL.test(text)) {
    output.print('Commands of the prompt begin with a dot: .help lists them, .quit ends.')
    return ''
  }
  const { statements, rest } = splitScript(text)
  for (const statement of statements) {
    remember(`${statement};`)
    const fine = await guarded(output, async () => {
      const took = await runStatement(targetOf(prompt), statement, output, prompt.mode)
      if (prompt.timer) output.print(output.style('dim', `${took.toFixed(took < 10 ? 2 : 0)} ms`))
    })
    if (!fine) return ''
  }
  return isBlank(rest) ? '' : rest
}

async function guarded(output: Output, work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if (!isSealError(error)) throw error
    output.error(`${output.style('red', error.code)}: ${escapeControls(error.message)}`)
    return false
  }
}

/** Lines as they come; those typed while a statement runs wait. */
async function* untilClosed(lines: Interface): AsyncGenerator<string> {
  const waiting: string[] = []
  let wake: () => void = () => undefined
  let closed = false
  lines.on('line', (line) => {
    waiting.push(line)
    wake()
  })
  lines.on('close', () => {
    closed = true
    wake()
  })
  for (;;) {
    while (waiting.length > 0) yield waiting.shift() as string
    if (closed) return
    await new Promise<void>((resolve) => { wake = resolve })
  }
}

function complete(line: string): [string[], string] {
  if (!line.startsWith('.')) return [[], line]
  return [Object.keys(DOT_COMMANDS).filter((name) => name.startsWith(line)), line]
}

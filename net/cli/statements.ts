/**
 * Where statements end, by SQLite's own rule (complete.c): at a semicolon outside of quotes and comments; in CREATE TRIGGER at the one after END.
 * For a person who types line by line, so what is not finished is no error.
 */

/** One token: comment, quoted thing, word, semicolon, blanks, or any other character. What is not closed goes on to the end. */
const TOKEN = /--[^\n]*|\/\*(?:[^*]|\*(?!\/))*(?:\*\/)?|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|;|\s+|./gsu

export interface Script {
  /** Without the closing semicolon, blanks and comments around them. */
  readonly statements: readonly string[]
  /** What follows the last semicolon: blank, or a statement to be continued. */
  readonly rest: string
}

export function splitScript(text: string): Script {
  const statements: string[] = []
  let words: string[] = []
  let begin: number | undefined
  let end = 0
  let after = 0
  for (const match of text.matchAll(TOKEN)) {
    const [token] = match
    if (token === ';' && !(isTrigger(words) && !words.join(' ').endsWith('; END'))) {
      if (begin !== undefined) statements.push(text.slice(begin, end))
      words = []
      begin = undefined
      after = match.index + 1
    } else if (!/^(?:\s|--|\/\*)/.test(token)) {
      begin ??= match.index
      end = match.index + token.length
      words = keep(words, token.toUpperCase())
    }
  }
  return { statements, rest: text.slice(after) }
}

/** True if there is nothing to be continued: blanks and comments only. */
export function isBlank(rest: string): boolean {
  return [...rest.matchAll(TOKEN)].every(([token]) => /^\s/.test(token) || token.startsWith('--') || /^\/\*.*\*\/$/s.test(token))
}

/** The first six words say what it is, the last two how far it is. */
function keep(words: readonly string[], word: string): string[] {
  return words.length < 8 ? [...words, word] : [...words.slice(0, 6), words[7] as string, word]
}

function isTrigger(words: readonly string[]): boolean {
  return /^(?:EXPLAIN (?:QUERY PLAN )?)?CREATE (?:TEMP |TEMPORARY )?TRIGGER\b/.test(words.join(' '))
}

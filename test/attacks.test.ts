/** ATTACKS.md names tests that are there, and leaves no attack of the design without one. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const ATTACKS = 40
const rows = readFileSync('test/ATTACKS.md', 'utf8').split('\n').flatMap((line) => {
  const [, number, attack, file, name] = /^\| (\d+) \| (.*?) \| `(.+?)` \| (.+) \|$/.exec(line) ?? []
  return name === undefined ? [] : [{ number: Number(number), attack, path: `test/${file}.test.ts`, name }]
})

test('each attack has tests, in their order', () => {
  expect([...new Set(rows.map(({ number }) => number))]).toEqual(Array.from({ length: ATTACKS }, (_, i) => i + 1))
})

test.each(rows)('$number $path: $name', ({ path, name }) => {
  expect(existsSync(path)).toBe(true)
  const titles = readFileSync(path, 'utf8').split('\n').filter((line) => /^\s*(it|test|describe)\b/.test(line))
  expect(titles.some((line) => line.replaceAll("\\'", "'").includes(name))).toBe(true)
})

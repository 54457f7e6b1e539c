import { expect, test } from 'vitest'
import { isBlank, splitScript } from '../../net/cli/statements.js'

const split = (text: string): unknown => [splitScript(text).statements, splitScript(text).rest]

test('statements end at semicolons; what follows is to be continued', () => {
  expect(split('SELECT 1; SELECT 2; SEL')).toEqual([['SELECT 1', 'SELECT 2'], ' SEL'])
  expect(split('')).toEqual([[], ''])
  expect(split(';;')).toEqual([[], ''])
})

test('semicolons in quotes and comments end nothing', () => {
  expect(split(`SELECT 'a;''b;', "c;", \`d;\`, [e;] -- f;\n/* g; */;`)).toEqual([[`SELECT 'a;''b;', "c;", \`d;\`, [e;]`], ''])
  for (const open of ["SELECT 'a;", 'SELECT "a;', 'SELECT /* a;', 'SELECT [a;', 'SELECT -- a;']) expect(split(open)).toEqual([[], open])
})

test('a trigger ends at the semicolon after END', () => {
  const trigger = 'CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET x = CASE WHEN y THEN 1 END; DELETE FROM b; END'
  expect(split(`${trigger};SELECT 1;`)).toEqual([[trigger, 'SELECT 1'], ''])
  expect(split(`EXPLAIN QUERY PLAN CREATE TEMP TRIGGER t BEGIN SELECT 1; END; SELECT 2;`)).toEqual([['EXPLAIN QUERY PLAN CREATE TEMP TRIGGER t BEGIN SELECT 1; END', 'SELECT 2'], ''])
  expect(split('CREATE TRIGGER t BEGIN SELECT 1;')).toEqual([[], 'CREATE TRIGGER t BEGIN SELECT 1;'])
  // Outside of a trigger END is a word like any other.
  expect(split('BEGIN; SELECT 1; END; SELECT 2;')).toEqual([['BEGIN', 'SELECT 1', 'END', 'SELECT 2'], ''])
})

test('comments alone are blank, a comment that is open is not', () => {
  expect(isBlank(' -- a\n /* b */ ')).toBe(true)
  expect(isBlank('/* b')).toBe(false)
  expect(isBlank('S')).toBe(false)
})

import { readFileSync } from 'node:fs'
import { instrument } from './instrument.ts'
const folder = process.argv[2]
const looked = readFileSync(folder + '/looked.jsonl','utf8').split('\n').filter(Boolean).map(l => JSON.parse(l))
const n = new Map<string, number>()
for (const r of looked) for (const id of r.noted) n.set(id, (n.get(id) ?? 0) + 1)
const files = process.argv.slice(3)
let total = 0, never = 0
for (const f of files) for (const m of instrument(f, readFileSync(f, 'utf8')).mutants) { total++; if (!n.has(m.id)) { never++; console.log(m.id.replace(/^engine/,'e'), m.kind, m.text) } }
console.log(total, never, looked.filter(r=>r.kind==='looked').length)

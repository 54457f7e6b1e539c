/** The inspector's pages. Each takes what the address says and gives HTML; none changes anything. */
import type { Alert, SealedSpace } from 'sealdb'
import { encodeHex } from '../../../engine/codec/bytes.js'
import { isSealError } from '../../../engine/errors.js'
import { wholeNumber } from '../command.js'
import { fingerprint } from '../fingerprint.js'
import { readLog } from '../history.js'
import { formatCell } from '../output.js'
import { deviceRows, memberRows } from '../people.js'
import { readSchema } from '../results.js'
import { cellOf, decodeKey, encodeKey, type Value } from './cells.js'
import { html, tableOf, type Html } from './html.js'
import { PAGE, readRows, readTable, rowQuery } from './tables.js'

/** What the pages are about. `base` is where they live: `/` and the secret part of the address. */
export interface Inspected {
  readonly space: SealedSpace
  readonly base: string
  /** Heard since the inspector was started, oldest first. */
  readonly alerts: readonly Alert[]
}

export interface Page {
  readonly title: string
  readonly body: Html
}

type Query = URLSearchParams
type PageMaker = (inspected: Inspected, query: Query) => Promise<Page>

export const PAGES: Readonly<Record<string, PageMaker>> = { '': overview, table, row, sql, log, people }

/** A whole document. */
export function documentOf({ base }: Inspected, { title, body }: Page): string {
  const links = [['', 'space'], ['sql', 'SQL'], ['log', 'log'], ['people', 'people']] as const
  return `<!doctype html>${html`<html lang="en"><head><meta charset="utf-8"><title>${title} · SealDB</title><link rel="stylesheet" href="${base}/style.css"></head>
<body><nav>${links.map(([path, label]) => html`<a href="${base}/${path}">${label}</a>`)}</nav><main><h1>${title}</h1>${body}</main></body></html>`.html}`
}

async function overview({ space, base, alerts }: Inspected): Promise<Page> {
  const { size, logRoot, stateRoot } = space.head
  const schema = await readSchema(space)
  const facts: readonly (readonly [string, string | number])[] = [
    ['space', encodeHex(space.id)], ['entries', size], ['fingerprint', fingerprint(logRoot)], ['log root', encodeHex(logRoot)], ['state root', encodeHex(stateRoot)],
    ['you', `member ${space.me.id} (${space.me.role ?? 'removed'}), device ${space.me.device}`], ['relay', space.engine.relay?.url ?? 'none'], ['connection', space.connection],
    ['waiting for the relay', space.pending], ['takes writes', space.writable ? 'yes' : 'no'],
  ]
  return {
    title: 'Space',
    body: html`
      ${alerts.map(({ code, message }) => html`<p class="alert"><b>${code}</b> ${message}</p>`)}
      <p>Everything here was checked against the roots below. Read the fingerprint to another member: equal, and you share one history up to that entry.</p>
      ${tableOf(['', ''], facts.map(([name, value]) => [html`<b>${name}</b>`, String(value)]))}
      <h2>Schema</h2>
      ${tableOf(['type', 'name', 'definition'], schema.map(({ type, name, sql: text }) => [
        type, type === 'table' || type === 'view' ? html`<a href="${base}/table?${params({ name })}">${name}</a>` : name, html`<code>${text ?? ''}</code>`]))}`,
  }
}

async function table({ space, base }: Inspected, query: Query): Promise<Page> {
  const info = await readTable(space, query.get('name') ?? '')
  const offset = wholeNumber(query.get('offset') ?? '0', 'offset')
  const { columns, rows, more } = await readRows(space, info, offset)
  const names = new Map(space.members.map(({ id, name }) => [BigInt(id), name ?? `member ${id}`]))
  const to = (from: number): string => `${base}/table?${params({ name: info.name, offset: String(from) })}`
  return {
    title: info.name,
    body: html`
      <pre>${info.sql}</pre>
      ${info.columns.length === 0 ? '' : html`<p>${info.columns.map(({ name, visibility }) => html`<span class="${visibility}">${name}: ${visibility}</span> `)}</p>`}
      ${info.type === 'view'
        ? tableOf(columns, rows.map(({ values }) => values.map((value) => cellOf(value))))
        : tableOf(['', ...columns, 'by', 'entry'], rows.map(({ key, author, version, values }) => [
          html`<a href="${base}/row?${params({ table: info.name, key: encodeKey(key) })}">row</a>`, ...values.map((value) => cellOf(value)),
          names.get(author as bigint) ?? formatCell(author), formatCell(version)]))}
      <p>${offset > 0 ? html`<a href="${to(Math.max(0, offset - PAGE))}">before</a> ` : ''}${more ? html`<a href="${to(offset + PAGE)}">after</a>` : ''}</p>`,
  }
}

async function row({ space, base }: Inspected, query: Query): Promise<Page> {
  const info = await readTable(space, query.get('table') ?? '')
  const key = decodeKey(query.get('key') ?? '[]')
  const { columns, rows } = await space.db.queryRaw(rowQuery(info), key, { readOnly: true })
  const versions = info.declared ? await space.history<Record<string, Value>>(info.name, key) : []
  return {
    title: `${info.name}: one row`,
    body: html`
      ${rows[0] ? tableOf(['column', 'value'], columns.map((name, i) => [html`<b>${name}</b>`, cellOf(rows[0]?.[i] ?? null, true)])) : html`<p class="none">It is not there now.</p>`}
      ${rows[0] ? html`<p><a href="${base}/receipt?${params({ table: info.name, key: encodeKey(key) })}">Receipt</a>: opens this row, whole, and the table’s definition, to whoever gets to see it.</p>` : ''}
      <h2>Versions</h2>
      ${tableOf(['entry', 'operation', 'member', 'device', ...columns], versions.map((version) => [
        version.entry, version.operation, version.member ?? '', version.device ?? '', ...columns.map((name) => formatCell(version.row[name]))]))}`,
  }
}

/** The most rows that are shown of a query. */
const MOST_ROWS = 500

async function sql({ space, base }: Inspected, query: Query): Promise<Page> {
  const text = query.get('q') ?? ''
  const at = query.get('at') ?? ''
  return {
    title: 'SQL',
    body: html`
      <form action="${base}/sql"><textarea name="q" rows="6" spellcheck="false">${text}</textarea>
      <p><button>Run</button> <button name="explain" value="1">Explain verified</button> <label>as of entry <input name="at" size="8" inputmode="numeric" value="${at}"></label> Queries only.</p></form>
      ${text.trim() === '' ? '' : await answer(space, query.get('explain') === null ? text : `EXPLAIN VERIFIED ${text}`, at)}`,
  }
}

async function answer(space: SealedSpace, text: string, at: string): Promise<Html> {
  const started = performance.now()
  try {
    const { columns, rows, head } = await space.db.queryRaw(text, undefined, { readOnly: true, ...(at !== '' && { at: wholeNumber(at, 'the entry') }) })
    const took = Math.round(performance.now() - started)
    return html`<p>${rows.length} rows in ${took} ms, at entry ${at === '' ? head.size : at}${rows.length > MOST_ROWS ? `; the first ${MOST_ROWS} of them` : ''}.</p>
      ${tableOf(columns, rows.slice(0, MOST_ROWS).map((values) => values.map((value) => cellOf(value))))}`
  } catch (error) {
    if (!isSealError(error)) throw error
    return html`<p class="alert"><b>${error.code}</b> ${error.message}</p>`
  }
}

async function log({ space, base }: Inspected, query: Query): Promise<Page> {
  const count = wholeNumber(query.get('count') ?? '50', 'count', { max: 10_000 })
  const lines = await readLog(space, count)
  return {
    title: 'Log',
    body: html`<p>Authors are proved by signatures; times are what their clocks said. <a href="${base}/log?${params({ count: String(Math.min(10_000, count * 4)) })}">More</a></p>
      ${tableOf(['entry', 'time', 'by', 'device', 'what', 'verdict', 'bytes', 'hash'], [...lines].reverse().map(({ index, time, member, device, what, verdict, bytes, hash }) => [
        index, time, member, device, what, verdict, bytes, html`<code title="${hash}">${hash.slice(0, 12)}</code>`]))}`,
  }
}

function people({ space }: Inspected): Promise<Page> {
  const rowsOf = (rows: readonly Readonly<Record<string, unknown>>[]): Html => tableOf(Object.keys(rows[0] ?? {}), rows.map((each) => Object.values(each).map((value) => (typeof value === 'number' ? value : formatCell(value)))))
  return Promise.resolve({ title: 'People', body: html`<h2>Members</h2>${rowsOf(memberRows(space, true))}<h2>Devices</h2>${rowsOf(deviceRows(space, true))}` })
}

function params(values: Readonly<Record<string, string>>): string {
  return new URLSearchParams(values).toString()
}

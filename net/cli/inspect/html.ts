/** HTML from templates: whatever is put in is escaped, unless it is HTML already. Values come from other people. */
import { escapeControls } from '../output.js'

export interface Html {
  readonly html: string
}

type Content = Html | string | number | bigint | undefined | readonly Content[]

/**
 * @example
 * html`<p title="${name}">${rows.map((row) => html`<b>${row}</b>`)}</p>`
 */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return { html: parts.map((part, i) => part + (i < contents.length ? render(contents[i]) : '')).join('') }
}

/** `columns` as heads, `rows` as cells; numbers to the right. */
export function tableOf(columns: readonly string[], rows: readonly (readonly Content[])[]): Html {
  if (rows.length === 0) return html`<p class="none">No rows.</p>`
  const cell = (content: Content): Html => (typeof content === 'number' || typeof content === 'bigint' ? html`<td class="number">${content}</td>` : html`<td>${content}</td>`)
  return html`<table><thead><tr>${columns.map((name) => html`<th>${name}</th>`)}</tr></thead><tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>`)}</tbody></table>`
}

function render(content: Content): string {
  if (content === undefined) return ''
  if (typeof content === 'string') return escape(content)
  if (typeof content !== 'object') return String(content)
  return 'html' in content ? content.html : content.map(render).join('')
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escape(text: string): string {
  return escapeControls(text).replace(/[&<>"']/g, (found) => ENTITIES[found] as string)
}

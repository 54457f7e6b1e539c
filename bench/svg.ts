/** Two charts as SVG text, made of nothing but strings: bars on a logarithmic scale, and growth over n on two logarithmic axes. */

export interface Bar { readonly label: string; readonly value: number; readonly group: string }
export interface Point { readonly n: number; readonly value: number }
export interface Curve { readonly label: string; readonly points: readonly Point[] }

const COLOURS = ['#2563eb', '#d97706', '#059669', '#dc2626', '#7c3aed', '#0891b2', '#be185d', '#4d7c0f', '#475569', '#a16207']
const WIDTH = 960
const FONT = 'font-family="system-ui, sans-serif" font-size="12"'

/** One line a bar, coloured by group; longer is more. Values must be above 0. */
export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  const groups = [...new Set(bars.map(({ group }) => group))]
  const [left, top, line] = [330, 64, 18]
  const span = WIDTH - left - 110
  const scale = logScale(bars.map(({ value }) => value), 0, span)
  const height = top + bars.length * line + 16
  const parts = [
    ...legend(groups, left, 44),
    ...scale.ticks.map((tick) => `<path d="M${at(left + scale.at(tick))} ${top - 6}V${height - 12}" stroke="#e2e8f0"/>`),
    ...bars.map(({ label, value, group }, i) => {
      const y = top + i * line
      const width = Math.max(1, scale.at(value))
      return `<text x="${left - 8}" y="${y + 12}" text-anchor="end">${escape(label)}</text>`
        + `<rect x="${left}" y="${y + 2}" width="${at(width)}" height="${line - 5}" fill="${colour(groups.indexOf(group))}"/>`
        + `<text x="${at(left + width + 6)}" y="${y + 12}" fill="#475569">${compact(value)}</text>`
    }),
  ]
  return svg(height, `${title} (${unit}, logarithmic)`, parts)
}

/** Cost of one operation over n, each curve beside its own reference c · log n (dashed), pinned at its first point. */
export function growthChart(title: string, unit: string, curves: readonly Curve[]): string {
  const [left, top, right, height] = [70, 40, 280, 520]
  const points = curves.flatMap((curve) => curve.points)
  const x = logScale(points.map(({ n }) => n), 0, WIDTH - left - right)
  const y = logScale(points.map(({ value }) => value), 0, height - top - 40)
  const place = ({ n, value }: Point): string => `${at(left + x.at(n))},${at(height - 40 - y.at(value))}`
  const parts = [
    ...x.ticks.map((tick) => `<text x="${at(left + x.at(tick))}" y="${height - 22}" text-anchor="middle">${compact(tick)}</text><path d="M${at(left + x.at(tick))} ${top}V${height - 40}" stroke="#e2e8f0"/>`),
    ...y.ticks.map((tick) => `<text x="${left - 8}" y="${at(height - 36 - y.at(tick))}" text-anchor="end">${compact(tick)}</text><path d="M${left} ${at(height - 40 - y.at(tick))}H${WIDTH - right}" stroke="#e2e8f0"/>`),
    ...curves.flatMap((curve, i) => {
      const first = curve.points[0]
      if (first === undefined) return []
      const reference = curve.points.map(({ n }) => place({ n, value: (first.value * Math.log(n)) / Math.log(first.n) }))
      return [
        `<polyline points="${reference.join(' ')}" fill="none" stroke="${colour(i)}" stroke-opacity="0.45" stroke-dasharray="4 4"/>`,
        `<polyline points="${curve.points.map(place).join(' ')}" fill="none" stroke="${colour(i)}" stroke-width="2"/>`,
        ...curve.points.map((point) => `<circle cx="${place(point).replace(',', '" cy="')}" r="3" fill="${colour(i)}"/>`),
        `<rect x="${WIDTH - right + 20}" y="${top + i * 20}" width="12" height="12" fill="${colour(i)}"/><text x="${WIDTH - right + 38}" y="${top + 10 + i * 20}">${escape(curve.label)}</text>`,
      ]
    }),
    `<text x="${WIDTH - right + 20}" y="${top + 20 + curves.length * 20}" fill="#475569">dashed: grows like log n</text>`,
  ]
  return svg(height, `${title} (${unit}, logarithmic)`, parts)
}

interface Scale { readonly ticks: readonly number[]; at(value: number): number }

/** Whole powers of ten around the values. */
function logScale(values: readonly number[], from: number, to: number): Scale {
  const low = Math.floor(Math.log10(Math.min(...values)))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))))
  return {
    ticks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)),
    at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from),
  }
}

function legend(names: readonly string[], left: number, y: number): string[] {
  return names.map((name, i) => `<rect x="${left + i * 110}" y="${y - 10}" width="12" height="12" fill="${colour(i)}"/><text x="${left + 18 + i * 110}" y="${y}">${escape(name)}</text>`)
}

function svg(height: number, title: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" ${FONT} fill="#0f172a"><rect width="100%" height="100%" fill="#fff"/>`
    + `<text x="16" y="24" font-size="15" font-weight="600">${escape(title)}</text>\n${parts.join('\n')}\n</svg>\n`
}

const colour = (i: number): string => COLOURS[i % COLOURS.length] as string
const at = (value: number): string => value.toFixed(1)

function compact(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`
  if (value >= 1e3) return `${Number((value / 1e3).toPrecision(3))}k`
  return String(Number(value.toPrecision(3)))
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
}

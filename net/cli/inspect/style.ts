/** How the inspector looks: one style sheet, light or dark as the system says. */
export const STYLE = `
:root { color-scheme: light dark; font: 14px/1.5 system-ui, sans-serif; }
body { margin: 0; }
nav { display: flex; gap: 1.5em; padding: .8em 2em; border-bottom: 1px solid #8884; }
main { padding: 0 2em 3em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; }
table { border-collapse: collapse; } th { text-align: left; }
th, td { padding: .25em .9em .25em 0; border-bottom: 1px solid #8883; vertical-align: top; max-width: 40em; overflow-wrap: anywhere; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
pre, code, textarea { font: 13px/1.5 ui-monospace, monospace; } pre { white-space: pre-wrap; }
textarea { width: 100%; max-width: 70em; box-sizing: border-box; }
.none, i { opacity: .6; }
.alert { border-left: 4px solid #d33; padding: .4em .8em; }
.sealed, .blind, .plaintext { border: 1px solid #8886; border-radius: 1em; padding: .1em .7em; }
.plaintext { border-color: #d80; } .blind { border-style: dashed; }
`

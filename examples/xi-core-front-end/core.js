// A stand-in for xi-core, the core of the XI editor: the same messages, line by line, on stdin and stdout. It keeps one
// text per view and sends all of it with each update. Not in it: plugins, styles, undo, files, and updates in parts.
import process from 'node:process'
import { createInterface } from 'node:readline'

const texts = new Map()
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)

function update(view) {
  const lines = texts.get(view).split('\n')
  const isLast = (i) => i === lines.length - 1
  const ops = [
    { op: 'ins', n: lines.length, lines: lines.map((line, i) => ({ text: isLast(i) ? line : `${line}\n` })) },
  ]
  say({ method: 'update', params: { view_id: view, update: { ops, pristine: false } } })
}

const edits = {
  insert: (text, { chars }) => text + chars,
  insert_newline: (text) => `${text}\n`,
  delete_backward: (text) => text.slice(0, -1),
}

const methods = {
  client_started: () => say({ method: 'available_themes', params: { themes: ['InspiredGitHub'] } }),
  new_view(_params, id) {
    const view = `view-id-${texts.size + 1}`
    texts.set(view, '')
    say({ id, result: view })
    update(view)
  },
  edit({ view_id: view, method, params }) {
    const edit = edits[method]
    if (edit === undefined) return say({ method: 'alert', params: { msg: `there is no edit ${method}` } })
    texts.set(view, edit(texts.get(view), params))
    update(view)
  },
  close_view: ({ view_id: view }) => texts.delete(view),
}

// When stdin ends, so does this.
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line)
  const answer = methods[method]
  if (answer !== undefined) answer(params, id)
  else if (id !== undefined) say({ id, error: { code: -32601, message: `there is no method ${method}` } })
}

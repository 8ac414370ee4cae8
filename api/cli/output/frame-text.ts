/** How a frame is shown. */
import { isUtf8 } from 'node:buffer'

export type FrameStyle = 'text' | 'hex' | 'json'

/** One line, without its end. `connection`: whose frame it is, where there are many. */
export function frameLine(frame: Buffer, style: FrameStyle, connection?: number): string {
  if (style === 'json') {
    const payload = isUtf8(frame) ? { text: frame.toString() } : { base64: frame.toString('base64') }
    const whose = connection === undefined ? {} : { connection }
    return plainJson(JSON.stringify({ ...whose, bytes: frame.length, ...payload }))
  }
  const shown = style === 'hex' ? frame.toString('hex') : visible(frame.toString())
  return connection === undefined ? shown : `${String(connection)}: ${shown}`
}

/** A frame stays on its line, and no peer's bytes command the terminal. A tab is left as it is. */
function visible(text: string): string {
  // eslint-disable-next-line no-control-regex -- those are what is looked for
  return text.replaceAll(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, (character) => {
    if (character === '\n') return '\\n'
    if (character === '\r') return '\\r'
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}

/** The same JSON. It leaves these characters as they are, and some terminals obey them. */
export function plainJson(json: string): string {
  return json.replaceAll(/[\u007f-\u009f]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)
}

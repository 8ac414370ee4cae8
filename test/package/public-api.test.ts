/** What hosts can reach by the types that are packed is what docs/public-api.txt lists, and nothing else. */
import fs from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { publicApiFile, readPublicApi } from './public-api.js'

const typeTests = fileURLToPath(new URL('../../../test/types', import.meta.url))

const WATCHDOG_MS = 60_000
const ACCEPT = 'if this is meant: node dist/test/package/accept-public-api.js'

/** Each line behind the type that it is of. */
function linesOf(text: string): readonly string[] {
  return text.split(/\n\n+/).flatMap((part) => {
    const [head = '', ...members] = part.trimEnd().split('\n')
    return [head, ...members.map((member) => `${head}: ${member.trim()}`)]
  })
}

test('exports and their members are those of docs/public-api.txt', (t) => {
  t.timeout(WATCHDOG_MS)
  const listed = linesOf(fs.readFileSync(publicApiFile, 'utf8'))
  const found = linesOf(readPublicApi())
  t.true(found.length > 100)
  const added = found.filter((line) => !listed.includes(line))
  const removed = listed.filter((line) => !found.includes(line))
  t.deepEqual({ added, removed }, { added: [], removed: [] }, ACCEPT)
})

test('every export is named in test/types, where the compiler checks it', (t) => {
  const [exported = ''] = fs.readFileSync(publicApiFile, 'utf8').split('# named by')
  const names = [...exported.matchAll(/^(?:interface|type|class|function) (\w+)/gm)].map(([, name = '']) => name)
  t.true(names.length > 50)
  const texts = fs.readdirSync(typeTests).map((file) => fs.readFileSync(join(typeTests, file), 'utf8'))
  const words = new Set(texts.join('\n').match(/\w+/g))
  t.deepEqual(
    names.filter((name) => !words.has(name)),
    [],
  )
})

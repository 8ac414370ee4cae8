/** The quick part of the suite names what is there. */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = new URL('../../..', import.meta.url)

interface Config {
  readonly files: readonly string[]
}

test('each path of npm run test:quick is one of a file, or of a folder in which there are tests', async (t) => {
  const config = (await import(new URL('ava.quick.config.js', root).href)) as { readonly default: Config }
  const { files } = config.default
  t.true(files.length > 0)
  const testsAt = (path: string): readonly string[] => {
    // Also what is left out.
    const [folder = '', ending] = path.replace(/^!/, '').split('/**/*')
    const place = fileURLToPath(new URL(folder, root))
    if (!fs.existsSync(place)) return []
    if (ending === undefined) return [place]
    return fs.readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(ending))
  }
  t.deepEqual(
    files.filter((path) => testsAt(path).length === 0),
    [],
  )
})

/** What the documents point to exists: files that are named in backticks, and targets of relative links. */
import fs from 'node:fs'
import { basename, dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../..', import.meta.url))
// The changelog is left out: it may name files that are gone.
const examples = fs
  .readdirSync(join(root, 'examples'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => `examples/${name}`)
const documents = ['.', 'docs', 'docs/decisions', 'examples', ...examples]
  .flatMap(markdownIn)
  .filter((name) => name !== 'CHANGELOG.md')

/** A path from the repository's root. */
const PATH = /^(?:api|engine|workers|test|perf|docs)\/[\w./-]*$/
/** A file name alone, where the folder is clear from the context. */
const FILE_NAME = /^[\w-]+(?:\.test)?\.ts$/

function markdownIn(folder: string): string[] {
  return fs
    .readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => posix.join(folder, name))
}

function fileNamesIn(folder: string): string[] {
  return fs.readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => basename(path))
}

/** The text without blocks of code, whose brackets and backticks mean something else. */
function proseOf(document: string): string {
  return fs.readFileSync(join(root, document), 'utf8').replaceAll(/^```.*?^```$/gms, '')
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(document: string): string[] {
  return [...proseOf(document).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test('every file that a document names exists', (t) => {
  const names = new Set(['api', 'engine', 'workers', 'test', 'perf'].flatMap(fileNamesIn))
  const missing: string[] = []
  let found = 0
  for (const document of documents) {
    for (const [, text = ''] of proseOf(document).matchAll(/`([^`\n]+)`/g)) {
      if (!PATH.test(text) && !FILE_NAME.test(text)) continue
      found++
      if (PATH.test(text) ? !fs.existsSync(join(root, text)) : !names.has(text)) missing.push(`${document}: ${text}`)
    }
  }
  t.true(found > 50)
  t.deepEqual(missing, [])
})

test('every relative link in a document leads somewhere', (t) => {
  const broken: string[] = []
  let found = 0
  for (const document of documents) {
    for (const [, target = ''] of proseOf(document).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      found++
      const [path = '', anchor] = target.split('#')
      const page = path === '' ? document : join(dirname(document), path)
      const isThere = fs.existsSync(join(root, page))
      if (!isThere || (anchor !== undefined && !anchorsOf(page).includes(anchor))) broken.push(`${document}: ${target}`)
    }
  }
  t.true(found > 50)
  t.deepEqual(broken, [])
})

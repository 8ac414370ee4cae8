/** docs/integrations.md is true: each row names a test that is there, and that test uses the counterpart of the row. */
import fs from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => fs.readFileSync(join(root, path), 'utf8')
const isFile = (path: string): boolean => fs.statSync(join(root, path), { throwIfNoEntry: false })?.isFile() === true

interface Row {
  readonly title: string
  readonly counterpart: string
  readonly tests: readonly string[]
  /** Folders. */
  readonly examples: readonly string[]
}

const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)

function readRows(): readonly Row[] {
  const lines = read('docs/integrations.md').split('\n')
  const cells = lines.filter((line) => line.startsWith('|')).map((line) => line.split('|').map((cell) => cell.trim()))
  return cells.slice(2).map(([, title = '', , counterpart = '', tests = '', example = '']) => ({
    title,
    counterpart,
    tests: quoted(tests),
    examples: [...example.matchAll(/\]\(\.\.\/(examples\/[\w-]+)\/README\.md\)/g)].map(([, folder = '']) => folder),
  }))
}

/** What a file of the tests runs besides: modules that it imports, programs and pages that it names. */
function namedBy(file: string): readonly string[] {
  const found = [...read(file).matchAll(/'(\.\.?\/[\w./-]+\.js|docs\/[\w-]+\.md)'/g)].map(([, name = '']) => name)
  const paths = found.map((name) =>
    name.startsWith('.') ? posix.join(dirname(file), name).replace(/\.js$/, '.ts') : name,
  )
  return paths.filter((path) => /^(?:test|docs)\//.test(path) && isFile(path))
}

/** The text of a test with all that it runs of the tests, and of its example. */
function textOf({ tests, examples }: Row): string {
  const files = new Set(tests)
  for (const file of files) if (file.endsWith('.ts')) for (const other of namedBy(file)) files.add(other)
  for (const folder of examples) {
    for (const name of fs.readdirSync(join(root, folder))) if (name.endsWith('.js')) files.add(`${folder}/${name}`)
  }
  return [...files].map(read).join('\n')
}

const rows = readRows()

test('each integration has a test, and the examples that it names are there and are run', (t) => {
  t.true(rows.length > 25)
  for (const { title, tests, examples } of rows) {
    t.true(tests.length > 0, title)
    for (const file of tests) t.true(isFile(file), `${title}: ${file}`)
    for (const folder of examples) {
      const program = `test/${folder}.test.ts`
      t.true(isFile(`${folder}/README.md`) && isFile(program), `${title}: ${folder}`)
    }
  }
})

/** By name, the range of versions that is installed. */
const installed = Object.assign(
  {},
  ...['package.json', 'test/tools/package.json'].map((path) => {
    const { dependencies, devDependencies } = JSON.parse(read(path)) as Record<string, Record<string, string>>
    return { ...dependencies, ...devDependencies }
  }),
) as Readonly<Record<string, string>>

test('the versions of the counterparts are those that are installed', (t) => {
  let found = 0
  for (const { title, counterpart } of rows) {
    for (const [, name = '', major = ''] of counterpart.matchAll(/`([^`]+)` (\d+)/g)) {
      found++
      t.is(/\d+/.exec(installed[name] ?? '')?.[0], major, `${title}: ${name}`)
    }
    // A package without a version would be one that nobody compares.
    const bare = quoted(counterpart.replaceAll(/`[^`]+` \d+/g, ''))
    t.deepEqual(
      bare.filter((name) => Object.hasOwn(installed, name)),
      [],
      title,
    )
  }
  t.true(found > 15)
})

test('the test of each integration imports or starts its counterpart', (t) => {
  for (const row of rows) {
    const text = textOf(row)
    const names = quoted(row.counterpart)
    // One that is not run says so.
    t.true(names.length > 0 || row.counterpart.includes('is not run'), row.title)
    for (const name of names) {
      const isModule = isBuiltin(name) || Object.hasOwn(installed, name)
      const uses = isModule
        ? new RegExp(`(?:['/]|^npx |\\n)(?:node:)?${name.replace(/^node:/, '')}(?:/[^']*)?(?:'| |-)`)
        : name
      t.true(typeof uses === 'string' ? text.includes(uses) : uses.test(text), `${row.title}: ${name}`)
    }
  }
})

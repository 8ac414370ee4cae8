/**
 * `npm run docs`: the site, in `site/`: the README as its front page, the pages of `docs/` and the examples, and the API
 * reference. TypeDoc makes it from a copy of the pages that says what part of the navigation each is in. Fails where a
 * page is in no part, and where a link leads nowhere.
 */
import fs from 'node:fs'
import { dirname, join, posix, relative, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Application } from 'typedoc'
import { outline } from './outline.js'

const PUBLISHED = 'https://unpkg.com/symphony-transport/'
const root = fileURLToPath(new URL('../..', import.meta.url))
const site = join(root, 'site')
const copies = join(root, '.site')

const pagesIn = (folder) =>
  fs
    .readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => `${folder}/${entry.name}`)

const examples = ['', ...fs.readdirSync(join(root, 'examples'))].flatMap((name) => {
  const page = posix.join('examples', name, 'README.md')
  return fs.existsSync(join(root, page)) ? [page] : []
})
const decisions = pagesIn('docs/decisions').filter((page) => page !== 'docs/decisions/README.md')
const parts = { ...outline, Examples: examples, 'Why it is so': decisions }

function titleOf(text) {
  return (/^# (.+)$/m.exec(text)?.[1] ?? 'untitled').replaceAll('`', '')
}

/** The pages and what they show, beside each other as in the repository. */
function copyPages() {
  fs.rmSync(copies, { recursive: true, force: true })
  for (const folder of ['docs', 'examples']) {
    fs.cpSync(join(root, folder), join(copies, folder), {
      recursive: true,
      filter: (path) => !path.includes('node_modules') && !path.endsWith(join('docs', 'site')),
    })
  }
  const readme = fs.readFileSync(join(root, 'README.md'), 'utf8')
  // The README links to published files, since npm shows it alone; the site has them all.
  fs.writeFileSync(join(copies, 'README.md'), readme.replaceAll(PUBLISHED, '').replace(/^# .+\n/, ''))
  for (const [category, pages] of Object.entries(parts)) {
    for (const page of pages) {
      const text = fs.readFileSync(join(root, page), 'utf8')
      const front = `---\ntitle: ${JSON.stringify(titleOf(text))}\ncategory: ${category}\n---\n\n`
      // Folders and sources are no pages.
      const body = text.replaceAll(/\[([^\]]+)\]\([^)\s]+(?:\/|\.ts)\)/g, '$1')
      fs.mkdirSync(dirname(join(copies, page)), { recursive: true })
      fs.writeFileSync(join(copies, page), front + body)
    }
  }
}

/** Links of the finished pages that lead to no file, or to no place in it. */
function brokenLinks() {
  const pages = fs.readdirSync(site, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'))
  const texts = new Map(pages.map((page) => [join(site, page), fs.readFileSync(join(site, page), 'utf8')]))
  const broken = []
  for (const [path, text] of texts) {
    for (const [, target] of text.matchAll(/(?:href|src|srcset)="([^"]+)"/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [file, anchor] = decodeURI(target).split('#')
      const place = file === '' ? path : resolve(dirname(path), file)
      if (!fs.existsSync(place)) broken.push(`${relative(site, path)}: ${target}`)
      else if (anchor && texts.has(place) && !texts.get(place).includes(`id="${anchor}"`)) {
        broken.push(`${relative(site, path)}: ${target}`)
      }
    }
  }
  return { broken, pages: pages.length }
}

async function build() {
  const placed = Object.values(parts).flat()
  const missing = [...pagesIn('docs')].filter((page) => !placed.includes(page))
  if (missing.length > 0) throw new Error(`in no part of docs/site/outline.js: ${missing.join(', ')}`)
  copyPages()
  try {
    const app = await Application.bootstrapWithPlugins({
      options: join(root, 'typedoc.json'),
      readme: join(copies, 'README.md'),
      projectDocuments: placed.map((page) => join(copies, page)),
      categoryOrder: [...Object.keys(parts), '*'],
      out: site,
    })
    const project = await app.convert()
    if (project === undefined) return 1
    app.validate(project)
    await app.generateOutputs(project)
    if (app.logger.hasErrors() || app.logger.hasWarnings()) return 1
  } finally {
    fs.rmSync(copies, { recursive: true, force: true })
  }
  const { broken, pages } = brokenLinks()
  for (const link of broken) process.stderr.write(`leads nowhere: ${link}\n`)
  process.stdout.write(`site/index.html: ${pages} pages, ${broken.length} broken links\n`)
  return broken.length === 0 ? 0 : 1
}

process.exitCode = await build()

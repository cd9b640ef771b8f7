/** Finding keys in text: by form and checksum, wherever the text is cut. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { generateKey } from '../api-keys/key-format.ts'
import { gitleaksRules, keyPattern, trufflehogDetectors } from './key-pattern.ts'
import { type FoundKey, KeyScanner } from './key-scanner.ts'

const { key } = generateKey('acme', 'live')

function found(text: string, pieceLength = text.length): FoundKey[] {
  const scanner = new KeyScanner()
  const all: FoundKey[] = []
  for (let at = 0; at < text.length; at += pieceLength)
    all.push(...scanner.scan(text.slice(at, at + pieceLength)))
  return all
}
const placesOf = (text: string, pieceLength?: number): string[] =>
  found(text, pieceLength).map(({ text: one, line, column }) => `${one === key}:${line}:${column}`)

it('finds a key in source, .env files and bundles, with its place', () => {
  assert.deepEqual(placesOf(`\n\nconst key = '${key}'\n`), ['true:3:14'])
  assert.deepEqual(placesOf(`A=1\r\nAPI_KEY=${key}`), ['true:2:9'])
  assert.deepEqual(placesOf(`!function(e){e.k="${key}",e.v=${'x'.repeat(500)}}`), ['true:1:19'])
  assert.deepEqual(placesOf(`${key}\n${key}`), ['true:1:1', 'true:2:1'])
  assert.deepEqual(placesOf(`https://api.example.com/?k=${key}&a=${key}`), [
    'true:1:28',
    `true:1:${31 + key.length}`,
  ])
})

it('finds it where something runs into it, before and behind', () => {
  assert.deepEqual(placesOf(`"a\\n${key}"`), ['true:1:5'])
  assert.deepEqual(placesOf(`xyz${key}tail`), ['true:1:4'])
  assert.deepEqual(placesOf(`${key}${key}`), ['true:1:1', `true:1:${key.length + 1}`])
})

it('finds each key once, with the same place, however the text is cut', () => {
  const text = `first\n${'filler '.repeat(30)}${key}\n\n  ${key};`
  const whole = placesOf(text)
  assert.equal(whole.length, 2)
  for (const length of [1, 2, 7, 56, 57, 71, 72, 100]) assert.deepEqual(placesOf(text, length), whole)
})

it('passes over what fails the checksum or is no key', () => {
  const last = key.at(-1) === 'A' ? 'B' : 'A'
  for (const text of [
    key.slice(0, -1) + last,
    key.slice(0, -1),
    key.replace('acme', 'acmf'),
    key.replace('_live_', '_test_'),
    key.toUpperCase(),
    `sk_live_${'a'.repeat(50)}`,
    '_live_'.repeat(100),
  ])
    assert.deepEqual(found(text), [], text)
})

it('prints patterns that find a key and no other', () => {
  assert.match(key, new RegExp(`^${keyPattern(['acme'])}$`))
  assert.match(key, new RegExp(`^${keyPattern([])}$`))
  assert.match(key, new RegExp(`^${keyPattern(['other', 'acme'])}$`))
  assert.doesNotMatch(key, new RegExp(keyPattern(['acm'])))
  const [, inRule] = /regex = '''(.*)'''/.exec(gitleaksRules(['acme'])) ?? []
  assert.equal(new RegExp(inRule as string).exec(`k="${key}"`)?.[1], key)
  const [, inDetector] = /key: '(.*)'/.exec(trufflehogDetectors(['acme'])) ?? []
  assert.equal(new RegExp(inDetector as string).exec(`k="${key}"`)?.[1], key)
})

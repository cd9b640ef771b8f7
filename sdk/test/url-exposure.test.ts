import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exposedCredential } from '../src/url-exposure.ts'
import { aKey } from './support/wire.ts'

const KEY = aKey()
const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl'

test('finds a key in any parameter, in the path, escaped, and with a typing error', () => {
  for (const url of [
    `/orders?api_key=${KEY}`,
    `/orders?q=1&whatever=${KEY}&x=2`,
    `https://api.example.com/orders?${KEY}`,
    `/keys/${KEY}/orders`,
    `/orders?api_key=${KEY.replaceAll('_', '%5F')}`,
    `/orders?api_key=%73${KEY.slice(1)}`,
    `/orders?bad=%zz&api_key=${KEY}`,
    `/orders?auth=Bearer%20${KEY}`,
  ])
    assert.equal(exposedCredential(url), KEY, url)
  const typo = `${KEY.slice(0, -1)}${KEY.endsWith('x') ? 'y' : 'x'}`
  assert.equal(exposedCredential(`/?key=${typo}`), typo)
})

test('finds an access token in a parameter that is named for one', () => {
  for (const name of ['access_token', 'api_key', 'apikey', 'Api-Key', 'key', 'authorization'])
    assert.equal(exposedCredential(`/orders?${name}=${JWT}`), JWT, name)
})

test('finds the presented credential again in any parameter', () => {
  assert.equal(exposedCredential('/orders?token=legacy-123', 'legacy-123'), 'legacy-123')
  assert.equal(exposedCredential('/orders?a=1&token=a+b%3D=c&b', 'a+b==c'), 'a+b==c')
  assert.equal(exposedCredential('/orders?token=%6Cegacy-123', 'legacy-123'), 'legacy-123')
  assert.equal(exposedCredential('/orders?token=legacy-1234', 'legacy-123'), undefined)
})

test('leaves alone what is no credential', () => {
  for (const url of [
    '',
    '/orders',
    '/orders?page=2&key=name',
    '/tables/users_test_20240101',
    '/orders?table=my_live_table1234567890',
    `/invitations?token=${JWT}`,
    '/orders?access_token=',
    `/orders?q=${KEY}0`,
    '/%E0%A4%A',
  ])
    assert.equal(exposedCredential(url), undefined, url)
})

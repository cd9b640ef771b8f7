import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockList, isIP } from 'node:net'
import { isIn, parseAddress, parseBlocks } from '../src/network.ts'

function inBlock(address: string, ...blocks: string[]): boolean {
  const parsed = parseBlocks(blocks)
  assert.ok(parsed, `${blocks} should parse`)
  return isIn(address, parsed)
}

test('matches IPv4 blocks at every prefix length as Node does', () => {
  for (let bits = 0; bits <= 32; bits++) {
    const reference = new BlockList()
    reference.addSubnet('203.0.113.77', bits, 'ipv4')
    for (const address of [
      '203.0.113.77',
      '203.0.113.78',
      '203.0.112.77',
      '203.1.113.77',
      '11.0.113.77',
      '75.0.0.1',
    ])
      assert.equal(
        inBlock(address, `203.0.113.77/${bits}`),
        reference.check(address),
        `${address} in /${bits}`,
      )
  }
})

test('matches IPv6 blocks at every prefix length as Node does', () => {
  const addresses = [
    '2001:db8::1',
    '2001:db8::2',
    '2001:db8:0:1::1',
    '2001:db9::1',
    '::1',
    'fe80::1',
    'a001:db8::1',
  ]
  for (let bits = 0; bits <= 128; bits++) {
    const reference = new BlockList()
    reference.addSubnet('2001:db8::1', bits, 'ipv6')
    for (const address of addresses)
      assert.equal(
        inBlock(address, `2001:db8::1/${bits}`),
        reference.check(address, 'ipv6'),
        `${address} in /${bits}`,
      )
  }
})

test('treats an IPv4-mapped IPv6 address as the IPv4 address, on either side', () => {
  assert.ok(inBlock('::ffff:10.1.2.3', '10.0.0.0/8'))
  assert.ok(inBlock('::FFFF:0a01:0203', '10.1.2.3'))
  assert.ok(inBlock('10.1.2.3', '::ffff:10.0.0.0/104'))
  assert.ok(inBlock('10.1.2.3', '::ffff:10.1.2.3'))
  assert.equal(inBlock('::ffff:11.1.2.3', '10.0.0.0/8'), false)
})

test('never matches across families', () => {
  assert.equal(inBlock('::1', '0.0.0.0/0'), false)
  assert.equal(inBlock('127.0.0.1', '::/0'), false)
  assert.equal(inBlock('::10.1.2.3', '10.0.0.0/8'), false)
})

test('takes a bare address for a block of one', () => {
  assert.ok(inBlock('192.0.2.1', '192.0.2.1'))
  assert.equal(inBlock('192.0.2.2', '192.0.2.1'), false)
  assert.equal(inBlock('2001:db8::2', '2001:db8::1'), false)
})

test('admits nobody by an empty list', () => {
  assert.equal(inBlock('192.0.2.1'), false)
})

test('refuses text with more than one reading, and whatever else is not an address', () => {
  const ipv4 =
    '1 127.1 0x7f.0.0.1 0177.0.0.1 127.0.0.01 256.0.0.1 1.2.3 1.2.3.4.5 1.2.3.4. ::1.2.3 ::1.2.3.256 1.2.3.4::'
  const ipv6 =
    ': ::: 1::2::3 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7:8:: 12345:: g:: ::1%eth0 [::1] :1:: 1::2:'
  for (const text of ['', '1.2.3.4 ', ' ::1', `${'0:'.repeat(30)}1`, ...ipv4.split(' '), ...ipv6.split(' ')])
    assert.equal(parseAddress(text), undefined, text)
})

test('reads every address that Node reads', () => {
  for (const text of [
    '::',
    '::1',
    '1::',
    '1:2:3:4:5:6:7::',
    '::2:3:4:5:6:7:8',
    '1:2:3:4:5:6:1.2.3.4',
    'FE80::A',
    '0.0.0.0',
  ])
    assert.ok(isIP(text) !== 0 && parseAddress(text), text)
})

test('refuses a whole list for one faulty block', () => {
  for (const block of [
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/08a',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    'all',
    '::ffff:1.2.3.4/60',
  ])
    assert.equal(parseBlocks(['192.0.2.1', block]), undefined, block)
})

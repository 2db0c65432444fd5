'use strict';
// Clocks that go on: a program that moves never sees one go back, whatever the target's clock says.
//
// The time on the way is that of the hosts' clocks of day, and never less than nothing. Stamps that
// Node makes for itself, of events and marks, begin anew.

const { internalBinding } = require('./internals');

const BILLION = 1000000000n;

function readClocks() {
  return {
    day: Date.now(), now: performance.now(), origin: performance.timeOrigin,
    high: String(process.hrtime.bigint()), uptime: process.uptime(),
  };
}

function goOn({ day, now, origin, high, uptime }) {
  const passed = Math.max(0, Date.now() - day);
  const { hrtime } = process;
  const ahead = BigInt(high) + BigInt(passed) * 1000000n - hrtime.bigint();
  const seconds = Number(ahead / BILLION) - (ahead % BILLION < 0n ? 1 : 0);
  const rest = Number(ahead - BigInt(seconds) * BILLION);
  const later = { hrtime(time) {
    const [whole, part] = hrtime(time);
    return addTo(whole, part, seconds, rest);
  } }.hrtime;
  const { bigint } = hrtime;
  later.bigint = { hrtimeBigInt() { return bigint() + ahead; } }.hrtimeBigInt;
  process.hrtime = later;
  const { uptime: ownUptime } = process;
  const ownNow = performance.now;
  const sinceStart = now + passed - performance.now();
  Performance.prototype.now = {
    now() { return Reflect.apply(ownNow, this, []) + sinceStart; },
  }.now;
  const sinceBirth = uptime + passed / 1000 - process.uptime();
  process.uptime = { uptime() { return ownUptime() + sinceBirth; } }.uptime;
  const { milestones, constants } = internalBinding('performance');
  milestones[constants.NODE_PERFORMANCE_MILESTONE_TIME_ORIGIN_TIMESTAMP] = origin * 1000;
}

function addTo(whole, part, seconds, rest) {
  const sum = part + rest;
  return sum >= 1e9 ? [whole + seconds + 1, sum - 1e9] : [whole + seconds, sum];
}

module.exports = { goOn, readClocks };

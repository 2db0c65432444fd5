// dayjs with plug-ins, and moment with a changed locale.
process.env.TZ = 'UTC';
const dayjs = require('dayjs');
dayjs.extend(require('dayjs/plugin/relativeTime'));
dayjs.extend(require('dayjs/plugin/duration'));
const moment = require('moment');
const day = dayjs('2024-02-28T12:00:00Z');
let when = moment.utc('2024-01-31');
const duration = moment.duration(90, 'minutes');
moment.updateLocale('en', { relativeTime: { future: 'within %s' } });
let turn = 0;
setTimeout(function next() {
  turn++;
  when = when.clone().add(1, 'month');
  console.log(turn, day.add(turn, 'day').format('YYYY-MM-DD dddd'), day.to(day.add(turn, 'hour')), dayjs.duration(turn, 'hours').asDays());
  console.log(when.format('LLLL'), when.isLeapYear(), duration.add(turn, 'minutes').humanize(true), moment.utc(0).to(moment.utc(turn * 1e9)), moment('nonsense', 'YYYY').isValid());
  if (turn < 10) setTimeout(next, 15);
}, 15);

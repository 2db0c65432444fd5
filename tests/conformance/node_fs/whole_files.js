'use strict';
// Whole files in one call: readFile, writeFile, appendFile, truncate, copyFile.
const fs = require('fs');
const { pathToFileURL } = require('url');

const read = (name) => fs.readFileSync(name, 'utf8');

module.exports = {
  'text is written and read as UTF-8'() {
    fs.writeFileSync('a', 'hällo €\n');
    return [read('a'), fs.readFileSync('a'), fs.statSync('a').size];
  },
  'each encoding reads the same bytes its way'() {
    fs.writeFileSync('a', Buffer.from([0x68, 0xc3, 0xa9, 0x00]));
    return ['utf8', 'latin1', 'hex', 'base64', 'base64url', 'ascii', 'utf16le', 'ucs2'].map(
      (encoding) => fs.readFileSync('a', encoding),
    );
  },
  'each encoding writes its bytes'() {
    return ['utf8', 'latin1', 'utf16le', 'ascii'].map((encoding) => {
      fs.writeFileSync('a', 'é', encoding);
      return fs.readFileSync('a', 'hex');
    });
  },
  'what is not UTF-8 becomes replacement characters'() {
    fs.writeFileSync('a', Buffer.from([0xff, 0x41]));
    return read('a');
  },
  'a mark of byte order is kept'() {
    fs.writeFileSync('a', '\ufeffx');
    return [read('a').length, fs.readFileSync('a').length];
  },
  'an empty file is empty'() {
    fs.writeFileSync('a', '');
    return [read('a'), fs.readFileSync('a'), fs.statSync('a').size];
  },
  'a megabyte comes back whole'() {
    fs.writeFileSync('a', Buffer.alloc(1 << 20, 'x'));
    return [fs.readFileSync('a').length, read('a').length];
  },
  'views of bytes are written as bytes'() {
    const results = [];
    for (const view of [
      new Uint8Array([65, 66]),
      new Uint16Array([0x4241]),
      new DataView(new Uint8Array([67, 68, 69]).buffer, 1),
    ]) {
      fs.writeFileSync('a', view);
      results.push(read('a'));
    }
    return results;
  },
  'a path may be a string, a Buffer or a file URL'() {
    fs.writeFileSync(Buffer.from('a'), '1');
    fs.appendFileSync(pathToFileURL('a'), '2');
    return [read('a'), read(Buffer.from('a')), read(pathToFileURL('a'))];
  },
  'names of any script and emoji'() {
    const names = ['ä', '日本', '👍', ' space ', 'a\nb'];
    for (const name of names) fs.writeFileSync(name, name);
    return [fs.readdirSync('.'), names.map(read)];
  },
  'a name that is not UTF-8 is reached by its bytes'() {
    const name = Buffer.from([0x61, 0xff, 0x62]);
    fs.writeFileSync(name, 'x');
    return [fs.readFileSync(name, 'utf8'), fs.readdirSync('.', 'buffer'), fs.readdirSync('.')];
  },
  'a descriptor instead of a path continues where it stands'() {
    fs.writeFileSync('a', 'abcdef');
    const fd = fs.openSync('a', 'r+');
    fs.readSync(fd, Buffer.alloc(2));
    const rest = fs.readFileSync(fd, 'utf8');
    fs.writeFileSync(fd, 'XY');
    fs.closeSync(fd);
    return [rest, read('a')];
  },
  'flags of writeFile: w a r+ wx ax'({ tried }) {
    fs.writeFileSync('a', 'abcdef');
    return ['r+', 'a', 'w', 'wx', 'ax', 'w+', 'as'].map((flag) => {
      const error = tried(() => fs.writeFileSync('a', 'X', { flag }));
      return [flag, read('a'), error];
    });
  },
  'flags of readFile: r r+ w+ a+'({ tried }) {
    fs.writeFileSync('a', 'abc');
    return ['r', 'r+', 'a+', 'rs', 'w', 'w+'].map((flag) =>
      tried(() => fs.readFileSync('a', { encoding: 'utf8', flag })),
    );
  },
  'flush and mode options of writeFile'({ tried }) {
    fs.writeFileSync('a', 'x', { flush: true, mode: 0o640 });
    return [
      read('a'),
      (fs.statSync('a').mode & 0o777).toString(8),
      tried(() => fs.writeFileSync('a', 'x', { flush: 'yes' })),
    ];
  },
  'appendFile makes a file and grows it'() {
    fs.appendFileSync('log', 'one\n');
    fs.appendFileSync('log', Buffer.from('two\n'));
    fs.appendFileSync('log', 'e9', 'hex');
    return fs.readFileSync('log', 'latin1');
  },
  'appendFile by a descriptor that is not for appending'() {
    fs.writeFileSync('a', 'abc');
    const fd = fs.openSync('a', 'r+');
    fs.appendFileSync(fd, 'X');
    fs.closeSync(fd);
    return read('a');
  },
  'appendFile with callback, and its mode'({ called }) {
    return called(fs.appendFile, 'a', 'data', { mode: 0o600 }).then((result) => [
      result,
      read('a'),
      (fs.statSync('a').mode & 0o777).toString(8),
    ]);
  },
  'truncate shortens, lengthens with zeros, empties'() {
    fs.writeFileSync('a', 'abcdef');
    fs.truncateSync('a', 3);
    const short = read('a');
    fs.truncateSync('a', 5);
    const long = read('a');
    fs.truncateSync('a');
    return [short, long, fs.statSync('a').size];
  },
  'truncate errors'({ tried }) {
    fs.mkdirSync('d');
    return [
      tried(() => fs.truncateSync('none', 1)),
      tried(() => fs.truncateSync('d', 1)),
      tried(() => fs.truncateSync('x', '1')),
      tried(() => fs.truncateSync('x', 1.5)),
    ];
  },
  'truncate of the other two kinds'({ called, settled }) {
    fs.writeFileSync('a', 'abcdef');
    return called(fs.truncate, 'a', 4).then(async (first) => [
      first,
      read('a'),
      await settled(fs.promises.truncate('a', 2)),
      read('a'),
      await settled(fs.promises.truncate('none')),
      await called(fs.truncate, 'none', 3),
    ]);
  },
  'ftruncate below, above and on a file open for reading'({ tried }) {
    fs.writeFileSync('a', 'abcdef');
    const fd = fs.openSync('a', 'r+');
    fs.ftruncateSync(fd, 2);
    fs.ftruncateSync(fd, 4);
    fs.ftruncateSync(fd, -3);
    const size = fs.fstatSync(fd).size;
    fs.closeSync(fd);
    const reading = fs.openSync('a', 'r');
    const error = tried(() => fs.ftruncateSync(reading, 1));
    fs.closeSync(reading);
    return [size, error];
  },
  'copyFile copies, overwrites, and refuses to by COPYFILE_EXCL'({ tried }) {
    fs.writeFileSync('a', 'one');
    fs.copyFileSync('a', 'b');
    fs.writeFileSync('a', 'two', { mode: 0o600 });
    fs.copyFileSync('a', 'b');
    const { COPYFILE_EXCL } = fs.constants;
    return [
      read('b'),
      tried(() => fs.copyFileSync('a', 'b', COPYFILE_EXCL)),
      tried(() => fs.copyFileSync('a', 'c', COPYFILE_EXCL)),
      read('c'),
    ];
  },
  'copyFile keeps the mode of what it copies'() {
    fs.writeFileSync('a', 'x', { mode: 0o751 });
    fs.copyFileSync('a', 'b');
    return (fs.statSync('b').mode & 0o777).toString(8);
  },
  'copyFile errors'({ tried }) {
    fs.writeFileSync('a', 'x');
    fs.mkdirSync('d');
    return [
      tried(() => fs.copyFileSync('none', 'b')),
      tried(() => fs.copyFileSync('a', 'd')),
      tried(() => fs.copyFileSync('d', 'b')),
      tried(() => fs.copyFileSync('a', 'x/y')),
      tried(() => fs.copyFileSync('a', 'b', 99)),
      tried(() => fs.copyFileSync('a', 'b', '1')),
      tried(() => fs.copyFileSync('a', 'a')),
    ];
  },
  'copyFile of the other two kinds'({ called, settled }) {
    fs.writeFileSync('a', 'x');
    return called(fs.copyFile, 'a', 'b').then(async (first) => [
      first,
      await called(fs.copyFile, 'a', 'b', fs.constants.COPYFILE_EXCL),
      await settled(fs.promises.copyFile('a', 'c')),
      read('c'),
      await settled(fs.promises.copyFile('none', 'c')),
    ]);
  },
  'readFile and writeFile with callbacks'({ called }) {
    return called(fs.writeFile, 'a', 'hello', { encoding: 'utf8' }).then(async (first) => [
      first,
      await called(fs.readFile, 'a'),
      await called(fs.readFile, 'a', 'utf8'),
      await called(fs.readFile, 'none', 'utf8'),
      await called(fs.writeFile, 'no/where', 'x'),
      await called(fs.readFile, '.'),
    ]);
  },
  'promises: readFile, writeFile, appendFile'({ settled }) {
    return settled(fs.promises.writeFile('a', 'hello')).then(async (first) => [
      first,
      await fs.promises.appendFile('a', ' you'),
      await fs.promises.readFile('a'),
      await fs.promises.readFile('a', { encoding: 'hex' }),
      await settled(fs.promises.readFile('none')),
      await settled(fs.promises.readFile('.')),
      await settled(fs.promises.writeFile('no/where', 'x')),
    ]);
  },
  'promises: writeFile takes iterables and streams'({ settled }) {
    async function* pieces() {
      yield 'a';
      yield 'b';
    }
    const { Readable } = require('stream');
    return settled(fs.promises.writeFile('a', pieces())).then(async () => [
      read('a'),
      await fs.promises.writeFile('a', ['x', 'y', 'z']),
      read('a'),
      await fs.promises.writeFile('a', Readable.from(['1', '2'])),
      read('a'),
      await settled(fs.promises.writeFile('a', [1, 2])),
    ]);
  },
  'promises: large text in one piece'() {
    const text = 'ä'.repeat(700_000);
    return fs.promises
      .writeFile('a', text)
      .then(async () => [
        (await fs.promises.readFile('a', 'utf8')) === text,
        fs.statSync('a').size,
      ]);
  },
  'many files at once'() {
    const names = Array.from({ length: 20 }, (_, i) => `f${i}`);
    return Promise.all(names.map((name) => fs.promises.writeFile(name, name))).then(() =>
      Promise.all(names.map((name) => fs.promises.readFile(name, 'utf8'))),
    );
  },
  openAsBlob({ tried }) {
    fs.writeFileSync('a', 'blob text');
    return fs
      .openAsBlob('a', { type: 'text/plain' })
      .then(async (blob) => [
        blob.size,
        blob.type,
        await blob.text(),
        await blob.slice(5).text(),
        tried(() => fs.openAsBlob('none')),
        tried(() => fs.openAsBlob('a', { type: 1 })),
        tried(() => fs.openAsBlob('a', 1)),
        tried(() => fs.openAsBlob(1)),
      ]);
  },
};

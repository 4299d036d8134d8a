package faultydisk

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// Below makes a disk of the files below a folder that SQLite opens from now
// on, in whatever way, until remove is called.
func Below(folder string) (d *Disk, remove func(), err error) {
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, nil, err
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return nil, nil, err
	}
	if err := install(); err != nil {
		return nil, nil, err
	}
	d = &Disk{folder: folder + string(filepath.Separator)}
	disks.Lock()
	disks.all = append(disks.all, d)
	disks.Unlock()
	return d, func() {
		disks.Lock()
		defer disks.Unlock()
		disks.all = slices.DeleteFunc(disks.all, func(one *Disk) bool { return one == d })
	}, nil
}

// system is the VFS that the operating system's files are reached by.
var system *lib.Tsqlite3_vfs

// install makes the default VFS of the process one that asks disks first.
var install = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	defer tls.Close()
	if lib.Xsqlite3_initialize(tls) != lib.SQLITE_OK {
		return errors.New("faultydisk: SQLite does not start")
	}
	found := lib.Xsqlite3_vfs_find(tls, 0)
	ours := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
	name, err := libc.CString("faultydisk")
	if err != nil || found == 0 || ours == 0 {
		return errors.New("faultydisk: there is no VFS to stand in front of")
	}
	system = at[lib.Tsqlite3_vfs](found)
	v := at[lib.Tsqlite3_vfs](ours)
	*v = *system
	v.FszOsFile += headSize
	v.FpNext, v.FzName = 0, name
	v.FxOpen, v.FxDelete = pointer(openFile), pointer(deleteFile)
	if lib.Xsqlite3_vfs_register(tls, ours, 1) != lib.SQLITE_OK {
		return errors.New("faultydisk: the VFS is not taken")
	}
	return nil
})

// head is what an open file begins with; the system's own follows.
type head struct {
	methods uintptr
	number  uintptr // in open
}

const headSize = int32(unsafe.Sizeof(head{}))

// file is an open file.
type file struct {
	path string
	disk *Disk // nil: nobody watches it
	new  bool  // SQLite flushes the folder when it flushes this for the first time
}

var open = struct {
	sync.RWMutex
	last  uintptr
	files map[uintptr]file
}{files: map[uintptr]file{}}

func of(f uintptr) file {
	open.RLock()
	defer open.RUnlock()
	return open.files[at[head](f).number]
}

// under is the system's own file below one of ours.
func under(f uintptr) uintptr { return f + uintptr(headSize) }

// its are the methods of the system's own file.
func its(f uintptr) *lib.Tsqlite3_io_methods {
	return at[lib.Tsqlite3_io_methods](at[lib.Tsqlite3_file](under(f)).FpMethods)
}

func openFile(tls *libc.TLS, vfs, name, f uintptr, flags int32, outFlags uintptr) int32 {
	*at[head](f) = head{}
	path := ""
	if name != 0 {
		path = libc.GoString(name)
	}
	disk := on(path)
	do := func(int) int32 {
		return call[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](system.FxOpen)(tls, vfs, name, under(f), flags, outFlags)
	}
	var code int32
	made := disk != nil && flags&lib.SQLITE_OPEN_CREATE != 0
	if made {
		_, err := os.Lstat(path) // SQLite's own look takes an empty file for none
		made = errors.Is(err, os.ErrNotExist)
	}
	if made {
		code = disk.asked(Op{Kind: Create, Path: path}, do)
	} else {
		code = do(0)
	}
	if at[lib.Tsqlite3_file](under(f)).FpMethods == 0 {
		return code
	}
	open.Lock()
	defer open.Unlock()
	open.last++
	open.files[open.last] = file{path, disk, made && flags&(lib.SQLITE_OPEN_MAIN_JOURNAL|lib.SQLITE_OPEN_SUPER_JOURNAL|lib.SQLITE_OPEN_WAL) != 0}
	*at[head](f) = head{methods(), open.last}
	return code
}

func deleteFile(tls *libc.TLS, vfs, name uintptr, flush int32) int32 {
	path := libc.GoString(name)
	return on(path).asked(Op{Kind: Delete, Path: path, Folder: flush != 0}, func(int) int32 {
		return call[func(*libc.TLS, uintptr, uintptr, int32) int32](system.FxDelete)(tls, vfs, name, flush)
	})
}

func closeFile(tls *libc.TLS, f uintptr) int32 {
	code := call[func(*libc.TLS, uintptr) int32](its(f).FxClose)(tls, under(f))
	open.Lock()
	defer open.Unlock()
	delete(open.files, at[head](f).number)
	return code
}

func readFile(tls *libc.TLS, f, into uintptr, n int32, offset int64) int32 {
	to := of(f)
	return to.disk.asked(Op{Kind: Read, Path: to.path, Offset: offset}, func(int) int32 {
		return call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](its(f).FxRead)(tls, under(f), into, n, offset)
	})
}

func writeFile(tls *libc.TLS, f, from uintptr, n int32, offset int64) int32 {
	to := of(f)
	return to.disk.asked(Op{Kind: Write, Path: to.path, Offset: offset, Data: unsafe.Slice(at[byte](from), n)}, func(short int) int32 {
		return call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](its(f).FxWrite)(tls, under(f), from, int32(short), offset)
	})
}

func truncateFile(tls *libc.TLS, f uintptr, size int64) int32 {
	to := of(f)
	return to.disk.asked(Op{Kind: Truncate, Path: to.path, Offset: size}, func(int) int32 {
		return call[func(*libc.TLS, uintptr, int64) int32](its(f).FxTruncate)(tls, under(f), size)
	})
}

func syncFile(tls *libc.TLS, f uintptr, flags int32) int32 {
	to := of(f)
	code := to.disk.asked(Op{Kind: Sync, Path: to.path, Folder: to.new}, func(int) int32 {
		return call[func(*libc.TLS, uintptr, int32) int32](its(f).FxSync)(tls, under(f), flags)
	})
	if code == lib.SQLITE_OK && to.new {
		to.new = false
		open.Lock()
		defer open.Unlock()
		open.files[at[head](f).number] = to
	}
	return code
}

// methods are those of our files. What a disk need not know of is passed on.
var methods = sync.OnceValue(func() uintptr {
	tls := libc.NewTLS()
	defer tls.Close()
	p := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
	*at[lib.Tsqlite3_io_methods](p) = lib.Tsqlite3_io_methods{
		FiVersion: 2, // with shared memory, and without files mapped into memory, whose writes nobody would see
		FxClose:   pointer(closeFile), FxRead: pointer(readFile), FxWrite: pointer(writeFile), FxTruncate: pointer(truncateFile), FxSync: pointer(syncFile),
		FxFileSize: pointer(func(tls *libc.TLS, f, size uintptr) int32 {
			return call[func(*libc.TLS, uintptr, uintptr) int32](its(f).FxFileSize)(tls, under(f), size)
		}),
		FxLock: pointer(func(tls *libc.TLS, f uintptr, level int32) int32 {
			return call[func(*libc.TLS, uintptr, int32) int32](its(f).FxLock)(tls, under(f), level)
		}),
		FxUnlock: pointer(func(tls *libc.TLS, f uintptr, level int32) int32 {
			return call[func(*libc.TLS, uintptr, int32) int32](its(f).FxUnlock)(tls, under(f), level)
		}),
		FxCheckReservedLock: pointer(func(tls *libc.TLS, f, result uintptr) int32 {
			return call[func(*libc.TLS, uintptr, uintptr) int32](its(f).FxCheckReservedLock)(tls, under(f), result)
		}),
		FxFileControl: pointer(func(tls *libc.TLS, f uintptr, op int32, arg uintptr) int32 {
			return call[func(*libc.TLS, uintptr, int32, uintptr) int32](its(f).FxFileControl)(tls, under(f), op, arg)
		}),
		FxSectorSize: pointer(func(tls *libc.TLS, f uintptr) int32 {
			return call[func(*libc.TLS, uintptr) int32](its(f).FxSectorSize)(tls, under(f))
		}),
		FxDeviceCharacteristics: pointer(func(tls *libc.TLS, f uintptr) int32 {
			return call[func(*libc.TLS, uintptr) int32](its(f).FxDeviceCharacteristics)(tls, under(f))
		}),
		FxShmMap: pointer(func(tls *libc.TLS, f uintptr, region, size, extend int32, into uintptr) int32 {
			return call[func(*libc.TLS, uintptr, int32, int32, int32, uintptr) int32](its(f).FxShmMap)(tls, under(f), region, size, extend, into)
		}),
		FxShmLock: pointer(func(tls *libc.TLS, f uintptr, offset, n, flags int32) int32 {
			return call[func(*libc.TLS, uintptr, int32, int32, int32) int32](its(f).FxShmLock)(tls, under(f), offset, n, flags)
		}),
		FxShmBarrier: pointer(func(tls *libc.TLS, f uintptr) {
			call[func(*libc.TLS, uintptr)](its(f).FxShmBarrier)(tls, under(f))
		}),
		FxShmUnmap: pointer(func(tls *libc.TLS, f uintptr, remove int32) int32 {
			return call[func(*libc.TLS, uintptr, int32) int32](its(f).FxShmUnmap)(tls, under(f), remove)
		}),
	}
	return p
})

// at is what stands at an address of C's memory, which no Go value is in.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// pointer is a C function pointer of a function that closes over nothing.
func pointer[T any](f T) uintptr { return *(*uintptr)(unsafe.Pointer(&struct{ f T }{f})) }

// call is the function at a C function pointer.
func call[T any](f uintptr) T { return *(*T)(unsafe.Pointer(&struct{ f uintptr }{f})) }

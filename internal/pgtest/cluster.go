package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// cluster makes a new database cluster in a folder: a copy of one that is kept
// among the user's cached files, since initdb takes seconds.
func cluster(bin, data string, attributes *syscall.SysProcAttr) error {
	kept, err := template(bin, attributes)
	if err != nil { // there is no place for one
		return initialize(bin, data, attributes)
	}
	copying := exec.Command("cp", "-R", kept, data)
	if out, err := copying.CombinedOutput(); err != nil {
		return fmt.Errorf("copy a cluster: %w\n%s", err, out)
	}
	if attributes.Credential == nil {
		return nil
	}
	return filepath.Walk(data, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(attributes.Credential.Uid), int(attributes.Credential.Gid))
	})
}

// template is a cluster that was never started. Of several processes that make
// it at once the first that is ready has.
func template(bin string, attributes *syscall.SysProcAttr) (string, error) {
	version, err := exec.Command(filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	name := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return -1
	}, string(version))
	folder := filepath.Join(cache, "capstan-pgtest")
	kept := filepath.Join(folder, "cluster-"+name)
	if _, err := os.Stat(filepath.Join(kept, "PG_VERSION")); err == nil {
		return kept, nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp("", "capstan-pg-new-") // where the other user may write
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	if attributes.Credential != nil {
		if err := os.Chown(fresh, int(attributes.Credential.Uid), int(attributes.Credential.Gid)); err != nil {
			return "", err
		}
	}
	if err := initialize(bin, filepath.Join(fresh, "data"), attributes); err != nil {
		return "", err
	}
	mine, err := os.MkdirTemp(folder, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(mine)
	whole := filepath.Join(mine, "data")
	if out, err := exec.Command("cp", "-R", filepath.Join(fresh, "data"), whole).CombinedOutput(); err != nil {
		return "", fmt.Errorf("keep a cluster: %w\n%s", err, out)
	}
	if err := os.Rename(whole, kept); err != nil {
		if _, there := os.Stat(filepath.Join(kept, "PG_VERSION")); there != nil {
			return "", err
		}
	}
	return kept, nil
}

func initialize(bin, data string, attributes *syscall.SysProcAttr) error {
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "capstan", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attributes, filepath.Dir(data)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

module github.com/capstan-pay/capstan

go 1.26

-- Databricks notebook source
select 2
